import { defineConfig } from 'vite'

// Relative addresses: the page works from any folder of static files.
export default defineConfig({
  base: './',
  build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 1500 },
  worker: { format: 'es' },
})
