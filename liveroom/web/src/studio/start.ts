/** The studio: the host's page. */

import '@/design/tokens.css'
import '@/design/base.css'
import { connect } from '@sdk'
import { createApp } from 'vue'
import { i18n } from '@/i18n'
import { arrive, remember } from '@/shared/visit'
import { buildContext, provideContext } from '@/stores/context'
import StudioPage from './StudioPage.vue'

const visit = arrive()
const room = connect({ baseUrl: location.origin, ...visit, hold: true })
room.on('token', (token) => remember(visit.room, token))
window.addEventListener('online', () => room.retryNow())
const app = createApp(StudioPage)
provideContext(app, buildContext(room, visit.room))
app.use(i18n).mount('#app')
room.release()
