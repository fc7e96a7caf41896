/** Pick from a map of texts by language, as the server sends them: {zh, en}. */

import { language } from './index'

export function localText(texts: Readonly<Record<string, string>> | undefined, otherwise: string): string {
  const now = language()
  return texts?.[now] ?? texts?.[now.slice(0, 2)] ?? otherwise
}
