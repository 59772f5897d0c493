/** The daemon: opens the stages in order, hands on what one says to the next, closes them in reverse. */

import { constants } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import { createAdmin } from "./admin/admin.js";
import type { Afterwards } from "./afterwards.js";
import { DEFAULT_STOP_SIGNAL } from "./backends/stopping.js";
import { createBell } from "./bell.js";
import { templateFolders } from "./config/load.js";
import { openReloads } from "./config/reloads.js";
import { type Config, STOP_SIGNALS } from "./config/schema.js";
import type { SolistendError } from "./errors.js";
import { type FleetLink, openFleetLink } from "./fleet-link.js";
import { followEngine } from "./identity/engine/follow.js";
import { ownAddresses } from "./identity/namespaces.js";
import { createNetnsNames } from "./identity/netns-names.js";
import { presenceOf } from "./identity/presence.js";
import { createProcfs } from "./identity/procfs.js";
import { createResolver } from "./identity/resolver.js";
import { createKeeper } from "./keeper.js";
import { createPipeline } from "./pipeline.js";
import { openProxies } from "./proxies/proxies.js";
import { probe } from "./readiness/probe.js";
import { HOOK_NAMES, HOOKS } from "./sensor/hooks.js";
import { bootTimeNs } from "./sensor/libbpf.js";
import { openSensor, type Sensor } from "./sensor/sensor.js";
import type { Remembered } from "./state.js";
import { createStateFolder } from "./state-folder.js";
import { createSummarizer } from "./summary.js";
import type { Summary } from "./systemd/status-line.js";
import { createView } from "./view.js";

/** A proxy that is down must not hold up the boot. */
const READY_TIMEOUT_MS = 10_000;
/** What this host has must not wait for other hosts; the proxies keep what they have of those. */
const FLEET_TIMEOUT_MS = 1000;

export interface DaemonOptions {
	/** The configuration file. */
	readonly file: string;
	readonly config: Config;
	readonly log: Logger;
	/** Does what need not be done before a change is acted on. */
	readonly afterwards: Pick<Afterwards, "add" | "flush">;
	/** What the sensor's worker thread runs; see `SensorOptions`. */
	readonly workerUrl?: URL | undefined;
}

export interface Daemon {
	/**
	 * The kernel was read, and so was the registry, or it was reported frozen, and each proxy was dealt with; or one of them
	 * took longer than 10 s.
	 */
	readonly ready: Promise<void>;
	/** Resolves when the daemon can't go on, with the reason: it is to be closed, and the process must end. */
	readonly failed: Promise<SolistendError>;
	/** Grows while the sensor makes progress, once a second; see `Sensor.answers`. */
	progress(): number;
	/** What it has and does, in a few numbers; cheap while nothing changes. */
	summary(): Summary;
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
export async function openDaemon({ file, config, log, afterwards, workerUrl }: DaemonOptions): Promise<Daemon> {
	const bell = createBell();
	const reloads = await openReloads({
		file,
		config,
		take: (next, templatesChanged) => take(next, templatesChanged),
		log,
	});
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
		onStatus: bell.ring,
	});
	const summarizer = createSummarizer(
		() => pipeline.desired(),
		proxies,
		() => sensor,
		() => link?.fleet?.member.status().registry,
	);
	let current = config;
	const folder = createStateFolder(log);
	const state = createKeeper<Remembered>(
		(remembered) => folder.save(current.state, remembered),
		(reason) => log.warn({ reason }, "what is held by hand, and services by label, are not kept over a restart"),
	);
	const engine = followEngine({ log, onChange: (changes) => pipeline.onContainers(changes) });
	const procfs = createProcfs();
	const names = createNetnsNames({ procfs });
	const pipeline = createPipeline({
		config,
		resolver: createResolver({ procfs, lookup: engine.lookup, isAsking: engine.isAsking }),
		containers: engine.containers,
		presenceOf: (place) => presenceOf(procfs, names, place),
		probe,
		log,
		now: () => performance.now(),
		bootTimeNs,
		afterwards,
		remembered: await folder.load(config.state),
		onRemember(remembered) {
			state.keep(remembered);
			link?.declare();
		},
		onOffer: (changes) => link?.fleet?.member.offer(changes),
		ownAddresses,
		onChange(change) {
			summarizer.changed();
			proxies.notify(change);
			bell.ring();
		},
		// the first read happens before there is a sensor to ask
		requestRead: () => sensor?.requestRead(),
		requestRemote: () => link?.fleet?.member.lookAgain(),
		readFullQueues: () => sensor?.readFullQueues() ?? [],
	});
	let link: FleetLink | undefined;
	link = await openFleetLink({ config, pipeline, log, onStatus: bell.ring });
	// before the first read: who is in a container waits to be known, then, and is not judged without it
	await engine.follow(config.discovery.docker);
	let fail: (error: SolistendError) => void = () => undefined;
	const failed = new Promise<SolistendError>((resolve) => {
		fail = resolve;
	});
	/** Aborted once everything is to close: from then on nothing is taken in, or a flood would hold up the end. */
	const closing = new AbortController();
	const untilClosing =
		<T>(take: (value: T) => void) =>
		(value: T) => {
			if (!closing.signal.aborted) take(value);
		};
	let sensor: Sensor | undefined;
	sensor = openSensor({
		workerUrl,
		onEvents: untilClosing(pipeline.onEvents),
		onRead: untilClosing(pipeline.onRead),
		onTrouble: (message, losses) => log.warn({ losses }, message),
		onState(state) {
			if (state.state === "up") log.info("the sensor is up again: all that listens was read, and pools go on");
			else log.error({ reason: state.why }, "the sensor is down: pools stay as they are until it is up again");
			pipeline.onSensor(state);
			bell.ring();
		},
		onStuck: (error) => fail(error),
	});
	sensor.setStopSignals(stopSignalsOf(config));
	const hooks = sensor.hooks();
	for (const name of HOOK_NAMES) {
		const hook = hooks[name];
		const { lack, isMinor } = HOOKS[name];
		if (hook.state !== "available") log[isMinor ? "info" : "warn"]({ hook: name, reason: hook.why }, lack);
	}
	// services by label are there, then, before a proxy is touched
	await engine.listed();
	// and backends of other hosts, where the registry answers as soon
	await Promise.race([link.complete, pause(FLEET_TIMEOUT_MS, undefined, { ref: false })]);
	await proxies.start();
	link.begin();

	const resync = () => {
		sensor.requestRead();
		pipeline.recheck();
		proxies.look();
	};
	let resyncTimer = setInterval(resync, config.resync);

	const view = createView({
		file,
		host: () => current.host,
		proxiesOf: (service) =>
			current.proxies.filter(({ services }) => services?.includes(service) ?? true).map(({ name }) => name),
		pipeline,
		proxies,
		sensor,
		resync,
		reload: reloads.request,
		saved: state.kept,
		fleet: () => link?.fleet,
		bell,
	});
	const admin = createAdmin(view, log);
	const take = async (next: Config, templatesChanged: boolean) => {
		const folders = templateFolders(next, file);
		await proxies.reconfigure(next, folders, templatesChanged, () => pipeline.reconfigure(next));
		const before = current;
		current = next;
		sensor.setStopSignals(stopSignalsOf(current));
		log.level = current.log.level;
		clearInterval(resyncTimer);
		resyncTimer = setInterval(resync, current.resync);
		if (current.state !== before.state) state.keep(pipeline.remembered());
		if (current.discovery.docker !== before.discovery.docker) {
			await engine.follow(current.discovery.docker);
			pipeline.recheck();
		}
		await admin.listen({ ...current.admin, host: current.host });
		await link.reconfigure(current);
	};
	await admin.listen({ ...config.admin, host: config.host });
	reloads.begin();

	const timeout = pause(READY_TIMEOUT_MS, true, { ref: false, signal: closing.signal }).catch(() => false);
	const dealtWith = Promise.all([proxies.firstRound, link.dealtWith]).then(() => false);
	const ready = Promise.race([dealtWith, timeout]).then((isLate) => {
		if (closing.signal.aborted) return;
		if (isLate) log.warn("a proxy or the registry took longer than 10 s: ready without it");
		const services = pipeline.desired()?.map(({ name, backends }) => [name, backends.length]) ?? [];
		log.info({ listeners: pipeline.listenerCount(), services: Object.fromEntries(services) }, "ready");
	});

	return {
		ready,
		failed,
		progress: sensor.answers,
		summary: summarizer.summary,
		reload: async () => {
			await reloads.request();
		},
		async close() {
			closing.abort();
			await reloads.close();
			await admin.close();
			clearInterval(resyncTimer);
			await engine.close();
			try {
				await sensor.close();
			} finally {
				// also with a thread that is stuck: a reload that has begun is finished or taken back
				pipeline.close();
				await link.close();
				await proxies.close();
				await state.kept();
				await folder.close();
			}
		},
	};
}

/** The numbers of all signals that some service takes for a request to stop; a container may say any. */
function stopSignalsOf({ services, discovery }: Config): number[] {
	const named = Object.values(services).flatMap(({ stopSignals }) => stopSignals ?? DEFAULT_STOP_SIGNAL);
	const names = new Set(discovery.docker === undefined ? named : STOP_SIGNALS);
	return [...names].map((name) => constants.signals[name]);
}
