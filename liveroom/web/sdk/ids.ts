/** Ids of commands and intentions: unguessable, and made where `randomUUID` is not. */

/** 128 random bits in hexadecimal; works on plain http too, which a phone in the shop's network may use. */
export function freshId(): string {
  return Array.from(globalThis.crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
