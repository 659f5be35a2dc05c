import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

const SERVER = process.env.GEOLABEL_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: "static",
    emptyOutDir: true,
    target: "es2023",
    chunkSizeWarningLimit: 2500, // MapLibre and swagger-ui are what they are
    rolldownOptions: { input: { index: "index.html", docs: "docs.html" } },
  },
  // `npm run dev`: the page from here, everything else from a running `geolabel serve`.
  server: { proxy: { "/api": { target: SERVER, changeOrigin: true } } },
  test: { include: ["src/**/*.test.ts"] },
});
