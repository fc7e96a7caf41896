/** The board: live charts of one room. */

import '@/design/tokens.css'
import '@/design/base.css'
import { Api } from '@sdk'
import { createApp } from 'vue'
import { i18n } from '@/i18n'
import { arrive, remember } from '@/shared/visit'
import BoardPage from './BoardPage.vue'

const visit = arrive()
const api = new Api(location.origin)
const token = visit.ticket ? api.trade(visit.ticket).then((traded) => traded.token) : Promise.resolve(visit.token)
token.then((value) => value && remember(visit.room, value)).catch(() => undefined) // the page says what is wrong
createApp(BoardPage, { api, roomId: visit.room, token }).use(i18n).mount('#app')
