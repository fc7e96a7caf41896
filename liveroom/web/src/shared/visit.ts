/**
 * Who comes to which room: the path names the room, the fragment carries a token or a ticket.
 *
 * The fragment is taken out of the address at once; a traded token outlives a reload of the
 * tab, never the tab. Runs before the framework and must stay free of it.
 */

export interface Visit {
  readonly room: string
  readonly token: string | null
  readonly ticket: string | null
}

const KEY = 'liveroom.token.'

/** Read and clean the address. */
export function arrive(): Visit {
  const [, , fromPath] = location.pathname.split('/')
  const room = decodeURIComponent(fromPath || new URLSearchParams(location.search).get('room') || '')
  const secret = new URLSearchParams(location.hash.slice(1)).get('t')
  if (location.hash) history.replaceState(null, '', location.pathname + location.search)
  // a JWT has two dots, a ticket none (RFC 7519 3)
  if (secret?.split('.').length === 3) {
    remember(room, secret)
    return { room, token: secret, ticket: null }
  }
  if (secret) return { room, token: null, ticket: secret }
  return { room, token: sessionStorage.getItem(KEY + room), ticket: null }
}

/** Keep the token for a reload of this tab. */
export function remember(room: string, token: string): void {
  sessionStorage.setItem(KEY + room, token)
}

/** Let go of a token that was refused. */
export function forget(room: string): void {
  sessionStorage.removeItem(KEY + room)
}
