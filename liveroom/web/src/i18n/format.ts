/** Numbers, money and time in the language now, through Intl. */

import { language } from './index'

const cache = new Map<string, Intl.NumberFormat>()

function formatter(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = language() + JSON.stringify(options)
  let format = cache.get(key)
  if (!format) cache.set(key, (format = new Intl.NumberFormat(language(), options)))
  return format
}

/** 12345 → 1.2万 or 12K. */
export function compact(value: number): string {
  return formatter({ notation: 'compact', maximumFractionDigits: 1 }).format(value)
}

export function integer(value: number): string {
  return formatter({ maximumFractionDigits: 0 }).format(value)
}

export function decimal(value: number, digits = 1): string {
  return formatter({ maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value)
}

export function percent(share: number, digits = 1): string {
  return formatter({ style: 'percent', maximumFractionDigits: digits }).format(share)
}

/** Minor units (fen) → ¥99 or ¥99.90. */
export function money(fen: number): string {
  return formatter({
    style: 'currency',
    currency: 'CNY',
    currencyDisplay: 'narrowSymbol',
    minimumFractionDigits: fen % 100 === 0 ? 0 : 2,
  }).format(fen / 100)
}

/** Signed, for ledger lines: +20, −5. */
export function signed(value: number): string {
  return formatter({ signDisplay: 'exceptZero' }).format(value)
}

/** Seconds → 1:02:03 or 2:03. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const two = (value: number): string => String(value).padStart(2, '0')
  const hours = Math.floor(whole / 3600)
  const minutes = Math.floor((whole % 3600) / 60)
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`
}

export function clock(at: number): string {
  return new Intl.DateTimeFormat(language(), { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(at)
}

export function clockSeconds(at: number): string {
  return new Intl.DateTimeFormat(language(), { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(at)
}

export function day(at: number): string {
  return new Intl.DateTimeFormat(language(), { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' }).format(at)
}

/** When something ends: to the minute this year, else the day with its year. */
export function deadline(at: number): string {
  if (new Date(at).getFullYear() === new Date().getFullYear()) return day(at)
  return new Intl.DateTimeFormat(language(), { year: 'numeric', month: 'short', day: 'numeric' }).format(at)
}
