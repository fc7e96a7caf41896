/** What a viewer likes on this device. */

export interface Preferences {
  danmaku: boolean
  opacity: number
  /** Show the whole picture instead of filling the screen; null: whole when it is wide. */
  fit: boolean | null
}

const KEY = 'liveroom.viewer'

export function readPreferences(): Preferences {
  const standard: Preferences = { danmaku: true, opacity: 0.9, fit: null }
  try {
    return { ...standard, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Preferences>) }
  } catch {
    return standard // somebody else's or an older format
  }
}

export function keepPreferences(preferences: Preferences): void {
  localStorage.setItem(KEY, JSON.stringify(preferences))
}
