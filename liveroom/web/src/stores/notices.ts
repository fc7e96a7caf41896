/** Short messages that close themselves; errors say what to do next. */

import { Refusal } from '@sdk'
import { reactive } from 'vue'
import { i18n } from '@/i18n'

export const NOTICE_SHOWN_MS = 3_600
export const NOTICES_MAX = 3

export interface Notice {
  readonly id: number
  readonly text: string
  readonly tone: 'info' | 'good' | 'bad' | 'festive'
}

export interface NoticeStore {
  items: Notice[]
  tell(text: string, tone?: Notice['tone']): void
  /** Say a refusal in the person's language; unknown codes use the server's own sentence. */
  refuse(error: unknown): void
  sentenceFor(code: string): string
}

/** The sentence for a refusal. */
export function sentence(code: string, why: string): string {
  const key = `refusals.${code}`
  return i18n.global.te(key) ? i18n.global.t(key) : why || i18n.global.t('refusals.unknown')
}

export function noticeStore(): NoticeStore {
  let last = 0
  const store: NoticeStore = reactive<NoticeStore>({
    items: [],
    tell(text, tone = 'info') {
      const id = (last += 1)
      store.items = [...store.items.filter((item) => item.text !== text), { id, text, tone }].slice(-NOTICES_MAX)
      setTimeout(() => (store.items = store.items.filter((item) => item.id !== id)), NOTICE_SHOWN_MS)
    },
    sentenceFor: (code) => sentence(code, ''),
    refuse(error) {
      if (error instanceof Refusal) {
        if (error.code !== 'closed') store.tell(sentence(error.code, error.why), 'bad')
        return
      }
      store.tell(sentence('network', ''), 'bad')
      if (!(error instanceof TypeError)) throw error
    },
  })
  return store
}
