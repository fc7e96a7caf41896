/// <reference types="vitest/config" />
import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const server = process.env.LIVEROOM_SERVER ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { '@sdk': at('./sdk/index.ts'), '@': at('./src') } },
  define: { __VUE_OPTIONS_API__: false, __VUE_PROD_DEVTOOLS__: false, __VUE_I18N_LEGACY_API__: false },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
    rollupOptions: {
      input: Object.fromEntries(
        ['index', 'room', 'studio', 'board'].map((page) => [page, at(`./${page}.html`)]),
      ),
    },
  },
  server: { proxy: { '/v1': server } },
  test: { include: ['sdk/tests/**/*.test.ts', 'src/**/*.test.ts'], testTimeout: 10_000 },
})
