/** The landing page. */

import '@/design/tokens.css'
import '@/design/base.css'
import { createApp } from 'vue'
import { i18n } from '@/i18n'
import LandingPage from './LandingPage.vue'

createApp(LandingPage).use(i18n).mount('#app')
