import { defineConfig } from "vitest/config";

/** Tests that run what was built: the worker thread needs real JavaScript. */
const built = [{ find: /^(.*)\/src\/(.*)\.js$/, replacement: "$1/dist/$2.js" }];

/**
 * Five projects: `unit` runs the sources, pure parts and files only; `integration` runs what was built, against the real
 * kernel, namespaces and proxies, one file at a time; so do `engines`, against real container engines, `redis`, against a
 * Redis Cluster and a Sentinel, and `browser`, with Chromium and promtool.
 */
export default defineConfig({
	test: {
		projects: [
			{ test: { name: "unit", include: ["test/unit/**/*.test.ts"] } },
			{
				resolve: { alias: built },
				test: {
					name: "integration",
					include: ["test/integration/**/*.test.ts"],
					pool: "forks",
					fileParallelism: false,
					testTimeout: 60_000,
					hookTimeout: 60_000,
				},
			},
			{
				resolve: { alias: built },
				test: {
					name: "redis",
					include: ["test/redis/**/*.test.ts"],
					pool: "forks",
					fileParallelism: false,
					testTimeout: 120_000,
					hookTimeout: 60_000,
				},
			},
			{
				resolve: { alias: built },
				test: {
					name: "browser",
					include: ["test/browser/**/*.test.ts"],
					pool: "forks",
					fileParallelism: false,
					testTimeout: 120_000,
					hookTimeout: 60_000,
				},
			},
			{
				resolve: { alias: built },
				test: {
					name: "engines",
					include: ["test/engines/**/*.test.ts"],
					pool: "forks",
					fileParallelism: false,
					testTimeout: 60_000,
					hookTimeout: 60_000,
				},
			},
		],
	},
});
