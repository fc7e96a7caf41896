/** What the board draws, in order; colours keep their meaning in both themes. */

export interface Metric {
  readonly name: string
  /** Key of title and, with `Unit`, of the unit in the messages. */
  readonly label: 'online' | 'messages' | 'gifts' | 'orders' | 'likes' | 'sessions' | 'legs' | 'bitrate' | 'loss' | 'forward' | 'layers' | 'repairs'
  readonly colour: { readonly dark: string; readonly light: string }
  /** A running total, as opposed to a level. */
  readonly total: boolean
  readonly digits: number
  /** Further lines of the same chart; the legend names all of them. */
  readonly more?: readonly Line[]
  /** What the legend calls the first line, where there are more. */
  readonly first?: Line['label']
  /** Lines come from the samples: one for each value whose name begins so. */
  readonly prefix?: string
}

export interface Line {
  readonly name: string
  readonly label: 'out' | 'in' | 'p50' | 'p99'
  readonly colour: Metric['colour']
}

export const METRICS: readonly Metric[] = [
  { name: 'online', label: 'online', colour: { dark: '#7dd3fc', light: '#0369a1' }, total: false, digits: 0 },
  { name: 'messages_per_s', label: 'messages', colour: { dark: '#c4a1ff', light: '#6d28d9' }, total: false, digits: 1 },
  { name: 'likes', label: 'likes', colour: { dark: '#ff8fa8', light: '#be123c' }, total: true, digits: 0 },
  { name: 'gifts', label: 'gifts', colour: { dark: '#ffd37a', light: '#a14d04' }, total: true, digits: 0 },
  { name: 'orders', label: 'orders', colour: { dark: '#5eead4', light: '#047857' }, total: true, digits: 0 },
  { name: 'sessions', label: 'sessions', colour: { dark: '#a5b4fc', light: '#4338ca' }, total: false, digits: 0 },
]

/** What the media tab draws. */
export const MEDIA_METRICS: readonly Metric[] = [
  { name: 'legs', label: 'legs', colour: { dark: '#7dd3fc', light: '#0369a1' }, total: false, digits: 0 },
  {
    name: 'out_mbps', label: 'bitrate', first: 'out', colour: { dark: '#5eead4', light: '#047857' }, total: false, digits: 2,
    more: [{ name: 'in_mbps', label: 'in', colour: { dark: '#a5b4fc', light: '#4338ca' } }],
  },
  { name: 'loss_percent', label: 'loss', colour: { dark: '#ff8fa8', light: '#be123c' }, total: false, digits: 2 },
  {
    name: 'forward_p99_ms', label: 'forward', first: 'p99', colour: { dark: '#ffd37a', light: '#a14d04' }, total: false, digits: 2,
    more: [{ name: 'forward_p50_ms', label: 'p50', colour: { dark: '#7dd3fc', light: '#0369a1' } }],
  },
  { name: 'video_legs', label: 'layers', colour: { dark: '#c4a1ff', light: '#6d28d9' }, total: false, digits: 0, prefix: 'layer.' },
  { name: 'repairs_per_s', label: 'repairs', colour: { dark: '#a5b4fc', light: '#4338ca' }, total: false, digits: 1 },
]
