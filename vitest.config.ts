import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** Far more than any test takes: on a busy machine nothing is to fail for being slow. */
const patience = { testTimeout: 60_000, hookTimeout: 60_000 };

/** The package under its own name, from source: as in examples/. */
const resolve = {
  alias: [{ find: /^slct\/(client|sdk|testing)$/, replacement: `${import.meta.dirname}/sdk/$1.ts` }],
};

export default defineConfig({
  test: {
    projects: [
      {
        resolve,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**"],
          // By default one core is left over, which is half of a small machine.
          maxWorkers: availableParallelism(),
          ...patience,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
