/** What the board draws, in order; colours keep their meaning in both themes. */

export interface Metric {
  readonly name: string
  /** Key of title and, with `Unit`, of the unit in the messages. */
  readonly label: 'online' | 'messages' | 'gifts' | 'orders' | 'likes' | 'sessions'
  readonly colour: { readonly dark: string; readonly light: string }
  /** A running total, as opposed to a level. */
  readonly total: boolean
  readonly digits: number
}

export const METRICS: readonly Metric[] = [
  { name: 'online', label: 'online', colour: { dark: '#7dd3fc', light: '#0369a1' }, total: false, digits: 0 },
  { name: 'messages_per_s', label: 'messages', colour: { dark: '#c4a1ff', light: '#6d28d9' }, total: false, digits: 1 },
  { name: 'likes', label: 'likes', colour: { dark: '#ff8fa8', light: '#be123c' }, total: true, digits: 0 },
  { name: 'gifts', label: 'gifts', colour: { dark: '#ffd37a', light: '#a14d04' }, total: true, digits: 0 },
  { name: 'orders', label: 'orders', colour: { dark: '#5eead4', light: '#047857' }, total: true, digits: 0 },
  { name: 'sessions', label: 'sessions', colour: { dark: '#a5b4fc', light: '#4338ca' }, total: false, digits: 0 },
]
