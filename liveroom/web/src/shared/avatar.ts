/** A colour of one's own for people without a picture; same person, same colour. */

const PALETTE = ['#c2185b', '#7b3fb5', '#3f51b5', '#0277a8', '#00796b', '#4c7a1e', '#a85a00', '#b23c17']

export function colourOf(user: string): string {
  let hash = 0
  for (const letter of user) hash = (hash * 31 + letter.codePointAt(0)!) >>> 0
  return PALETTE[hash % PALETTE.length]!
}

/** The first letter as people would write it, emoji and all. */
export function initialOf(name: string): string {
  return [...name.trim()][0]?.toUpperCase() ?? '·'
}
