/** Languages: zh-CN and en, chosen by the person, else by the browser. */

import { createI18n } from 'vue-i18n'
import { en } from './en'
import { zh, type Messages } from './zh'

export type Language = 'zh-CN' | 'en'
const KEY = 'liveroom.language'

function initial(): Language {
  const kept = localStorage.getItem(KEY)
  if (kept === 'zh-CN' || kept === 'en') return kept
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en'
}

export const i18n = createI18n<[Messages], Language, false>({
  legacy: false,
  locale: initial(),
  fallbackLocale: 'en',
  messages: { 'zh-CN': zh, en },
})

/** Switch, remember, and tell assistive technology. */
export function speak(language: Language): void {
  i18n.global.locale.value = language
  localStorage.setItem(KEY, language)
  document.documentElement.lang = language
}

/** The language now; reactive when read in a template or a computed. */
export function language(): Language {
  return i18n.global.locale.value
}

document.documentElement.lang = initial()
