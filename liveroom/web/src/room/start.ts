/**
 * The viewer's first script: enter the room and ask for media before the framework is there.
 *
 * Imports the SDK only; Vue and the page load beside it.
 */

import '@/design/tokens.css'
import '@/design/base.css'
import '@/design/poster.css'
import { connect, Player, type Room } from '@sdk'
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

const player = watch(room)
void page.then(({ mount }) => mount({ roomId: visit.room, room, player }))

/** With a token in hand the media path does not wait for the join; its address is in the contract. */
async function watch(entering: Room): Promise<Player> {
  const url = `/v1/rooms/${encodeURIComponent(visit.room)}/whep`
  const joined = visit.token ? null : await entering.joined
  const started = new Player({
    url: new URL(joined?.whep_url ?? url, location.origin).href,
    token: joined?.token ?? visit.token ?? '',
    iceServers: joined?.ice_servers,
  })
  entering.on('token', (token) => started.update({ token }))
  void entering.joined.then(({ token, ice_servers }) => started.update({ token, iceServers: ice_servers }))
  void started.start()
  return started
}
