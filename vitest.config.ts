import { defineConfig } from "vitest/config";

/** Tests that run what was built: the worker thread needs real JavaScript. */
const built = [{ find: /^(.*)\/src\/(.*)\.js$/, replacement: "$1/build/$2.js" }];

/**
 * Those of the integration tests that are run alone: they fill what belongs to the whole host (the ring buffer, the table,
 * a thousand namespaces, the numbers of namespaces), count what comes out of it, or build anew what the others run. All else
 * has daemons and proxies that keep to its own namespaces, ports and folders: two files at a time, since they wait as much as
 * they work.
 */
const ALONE = [
	"full-queue",
	"hooks",
	"netns-life",
	"object-file",
	"package",
	"pause",
	"record",
	"sensor",
	"snapshot",
	"stopping",
	"supervision",
	"watcher",
	"whose",
].map((name) => `test/integration/${name}.test.ts`);

const INTEGRATION = ["test/integration/**/*.test.ts"];
const timeouts = { testTimeout: 60_000, hookTimeout: 60_000 };

/**
 * Seven projects: `unit` runs the sources, pure parts and files only; `integration` and then `integration-alone` run what was
 * built, against the real kernel, namespaces and proxies; so do `engines`, against real container engines, `redis`, against a
 * Redis Cluster and a Sentinel, `browser`, with Chromium and promtool, and `systemd`, in a booted Debian 12.
 */
export default defineConfig({
	test: {
		projects: [
			{ test: { name: "unit", include: ["test/unit/**/*.test.ts"] } },
			{
				resolve: { alias: built },
				test: {
					name: "integration",
					include: INTEGRATION,
					exclude: ALONE,
					pool: "forks",
					maxWorkers: 2,
					sequence: { groupOrder: 1 },
					...timeouts,
				},
			},
			{
				resolve: { alias: built },
				test: {
					name: "integration-alone",
					include: ALONE,
					pool: "forks",
					fileParallelism: false,
					sequence: { groupOrder: 2 },
					...timeouts,
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
					name: "systemd",
					include: ["test/systemd/**/*.test.ts"],
					pool: "forks",
					fileParallelism: false,
					testTimeout: 120_000,
					hookTimeout: 120_000,
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
					sequence: { groupOrder: 3 },
					...timeouts,
				},
			},
		],
	},
});
