import solid from 'vite-plugin-solid';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [solid()],
  test: {
    environment: 'happy-dom',
    include: ['test/{unit,sim}/**/*.test.ts'],
    // Two workers: the suite is small, and the machine is shared with the Rust build.
    maxWorkers: 2,
  },
});
