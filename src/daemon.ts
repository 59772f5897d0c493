/** The daemon: opens the stages in order, hands on what one says to the next, closes them in reverse. */

import { constants } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import { formatProblem, loadConfig, templateFolders } from "./config/load.js";
import type { Config } from "./config/schema.js";
import { type FileWatch, watchFiles } from "./config/watch.js";
import { messageOf, SolistendError } from "./errors.js";
import { presenceOf } from "./identity/presence.js";
import { createProcfs } from "./identity/procfs.js";
import { createResolver } from "./identity/resolver.js";
import { createPipeline } from "./pipeline.js";
import { openProxies } from "./proxies/proxies.js";
import { bootTimeNs } from "./sensor/libbpf.js";
import { openSensor, type Sensor } from "./sensor/sensor.js";

/** A proxy that is down must not hold up the boot. */
const READY_TIMEOUT_MS = 10_000;

export interface DaemonOptions {
	/** The configuration file. */
	readonly file: string;
	readonly config: Config;
	readonly log: Logger;
}

export interface Daemon {
	/** The kernel was read, and each proxy was dealt with, or did not answer for 10 s. */
	readonly ready: Promise<void>;
	/** Reads configuration and templates again; a bad version is reported, and the running one stays. */
	reload(): Promise<void>;
	/** Stops everything; the proxies go on serving what they have. */
	close(): Promise<void>;
}

/**
 * Starts everything. The kernel has been read when it resolves; the proxies are being looked at.
 *
 * @throws SolistendError when a template is wrong, or the host lacks what the sensor needs.
 */
export async function openDaemon({ file, config, log }: DaemonOptions): Promise<Daemon> {
	const proxies = await openProxies({
		config,
		folders: templateFolders(config, file),
		desired: () => pipeline.desired(),
		backend: (ref) => pipeline.backend(ref),
		onOperator(changes) {
			for (const { state, ...ref } of changes) {
				log.info({ ...ref, state }, "a person set a state at the proxy");
				if (state === "ready") pipeline.release(ref);
				else pipeline.hold(ref, state);
			}
		},
		adopt: (servers) => pipeline.adopt(servers),
		log,
	});
	const procfs = createProcfs();
	const pipeline = createPipeline({
		config,
		resolver: createResolver({ procfs }),
		presenceOf: (address, port) => presenceOf(procfs, address, port),
		log,
		now: () => performance.now(),
		bootTimeNs,
		onChange: (change) => proxies.notify(change),
		// the first read happens before there is a sensor to ask
		requestRead: () => sensor?.requestRead(),
	});
	let sensor: Sensor | undefined;
	sensor = openSensor({
		onEvents: pipeline.onEvents,
		onRead: pipeline.onRead,
		onTrouble: (message, losses) => log.warn({ losses }, message),
	});
	sensor.setStopSignals(stopSignalsOf(config));
	const { stopping } = sensor.hooks();
	if (stopping !== true) {
		log.warn({ reason: stopping }, "a backend that is told to stop is not drained before it closes");
	}
	await proxies.start();

	const resync = (periodMs: number) =>
		setInterval(() => {
			sensor.requestRead();
			pipeline.recheck();
			proxies.notify({ atMs: performance.now(), removal: false, touched: undefined });
		}, periodMs);
	let resyncTimer = resync(config.resync);

	/** One reload at a time; the last one asked for wins. */
	let reloading: Promise<void> = Promise.resolve();
	let watched: FileWatch | undefined;

	const reload = async (templatesChanged: boolean) => {
		const loaded = await loadConfig(file);
		if (!loaded.ok) {
			const problems = loaded.problems.map(formatProblem);
			log.error({ problems }, "configuration not taken, the running one stays");
			return;
		}
		const folders = templateFolders(loaded.config, file);
		try {
			await proxies.reconfigure(loaded.config, folders, templatesChanged, () => pipeline.reconfigure(loaded.config));
		} catch (error) {
			if (!(error instanceof SolistendError)) throw error;
			log.error({ problems: [messageOf(error)] }, "configuration not taken, the running one stays");
			return;
		}
		sensor.setStopSignals(stopSignalsOf(loaded.config));
		log.level = loaded.config.log.level;
		clearInterval(resyncTimer);
		resyncTimer = resync(loaded.config.resync);
		await watch(loaded.config);
		log.info({ file }, "configuration taken");
	};
	const requestReload = (templatesChanged: boolean) => {
		reloading = reloading.then(() => reload(templatesChanged));
		return reloading;
	};
	const watch = async (current: Config) => {
		await watched?.close();
		const templates = [...templateFolders(current, file), ...current.proxies.map(({ template }) => template)];
		const paths = [file, ...templates.filter((path) => path.startsWith("/"))];
		watched = await watchFiles(
			paths,
			(changed) => void requestReload(changed.some((path) => path !== file)),
			(error) => log.warn({ reason: error.message }, "changes of files may go unnoticed"),
		);
	};
	await watch(config);

	const closing = new AbortController();
	const timeout = pause(READY_TIMEOUT_MS, undefined, { ref: false, signal: closing.signal }).catch(() => undefined);
	const ready = Promise.race([proxies.firstRound, timeout]).then(() => {
		if (closing.signal.aborted) return;
		const services = pipeline.desired()?.map(({ name, backends }) => [name, backends.length]) ?? [];
		log.info({ listeners: pipeline.listeners().length, services: Object.fromEntries(services) }, "ready");
	});

	return {
		ready,
		reload: () => requestReload(true),
		async close() {
			closing.abort();
			await watched?.close();
			await reloading;
			clearInterval(resyncTimer);
			await sensor.close();
			pipeline.close();
			await proxies.close();
		},
	};
}

/** The numbers of all signals that some service takes for a request to stop. */
function stopSignalsOf({ services }: Config): number[] {
	const names = new Set(Object.values(services).flatMap(({ stopSignals }) => stopSignals));
	return [...names].map((name) => constants.signals[name]);
}
