/** What a viewer likes on this device. */

export interface Preferences {
  danmaku: boolean
  opacity: number
  /** Show the whole picture instead of filling the screen. */
  fit: boolean
}

const KEY = 'liveroom.viewer'

export function readPreferences(): Preferences {
  const standard: Preferences = { danmaku: true, opacity: 0.9, fit: false }
  try {
    return { ...standard, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Preferences>) }
  } catch {
    return standard // somebody else's or an older format
  }
}

export function keepPreferences(preferences: Preferences): void {
  localStorage.setItem(KEY, JSON.stringify(preferences))
}
