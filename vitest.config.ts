import { defineConfig } from "vitest/config";

/**
 * Two projects: `unit` runs the sources, pure parts and files only; `integration` runs what was built
 * (the worker thread needs real JavaScript), against the real kernel, namespaces and proxies, one file at a time.
 */
export default defineConfig({
	test: {
		projects: [
			{ test: { name: "unit", include: ["test/unit/**/*.test.ts"] } },
			{
				resolve: { alias: [{ find: /^(.*)\/src\/(.*)\.js$/, replacement: "$1/dist/$2.js" }] },
				test: {
					name: "integration",
					include: ["test/integration/**/*.test.ts"],
					pool: "forks",
					fileParallelism: false,
					testTimeout: 60_000,
					hookTimeout: 60_000,
				},
			},
		],
	},
});
