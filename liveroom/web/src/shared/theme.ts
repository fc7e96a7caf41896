/** Light or dark for the desktop pages: the person's choice, else the system's. */

import { ref } from 'vue'

const KEY = 'liveroom.theme'
export type Theme = 'light' | 'dark'

function initial(): Theme {
  const kept = localStorage.getItem(KEY)
  if (kept === 'light' || kept === 'dark') return kept
  return matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark'
}

export const theme = ref<Theme>(initial())
document.documentElement.dataset['theme'] = theme.value

export function toggleTheme(): void {
  theme.value = theme.value === 'light' ? 'dark' : 'light'
  document.documentElement.dataset['theme'] = theme.value
  localStorage.setItem(KEY, theme.value)
}
