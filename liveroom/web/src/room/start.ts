/**
 * The viewer's first script: enter the room and ask for media before the framework is there.
 *
 * Imports the SDK only; Vue and the page load beside it.
 */

import '@/design/tokens.css'
import '@/design/base.css'
import '@/design/poster.css'
import { connect, GUESTS_MAX, Player, type Room } from '@sdk'
import { arrive, forget, remember } from '@/shared/visit'

const page = import('./main')
const visit = arrive()
const room = connect({ baseUrl: location.origin, ...visit, hold: true })
room.on('token', (token) => remember(visit.room, token))
room.on('state', ({ phase }) => {
  if (phase === 'refused' || phase === 'expired' || phase === 'banned' || phase === 'kicked') forget(visit.room)
})
window.addEventListener('online', () => room.retryNow())
window.addEventListener('pagehide', () => void player.then((started) => started.close()))

// a page out of the back-forward cache has lost its media and its socket
window.addEventListener('pageshow', ({ persisted }) => persisted && location.reload())

const player = watch(room)
void page.then(({ mount }) => mount({ roomId: visit.room, room, player }))

/** Media waits for a token, not for the join: its address is in the contract. */
async function watch(entering: Room): Promise<Player> {
  const traded = new Promise<string>((resolve) => entering.on('token', resolve))
  const token = visit.token ?? (await Promise.race([traded, entering.joined.then((joined) => joined.token)]))
  const url = new URL(`/v1/rooms/${encodeURIComponent(visit.room)}/whep`, location.origin).href
  const started = new Player({ url, token }, GUESTS_MAX)
  entering.on('token', (renewed) => started.update({ token: renewed }))
  // relays, if there are any, serve from the next connection on
  void entering.joined.then(({ whep_url, ice_servers }) => started.update({ url: whep_url, iceServers: ice_servers }))
  void started.start()
  return started
}
