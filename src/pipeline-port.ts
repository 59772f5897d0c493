/** What the pipeline is given, and what it can be asked and told: its port, for whoever stands around it. */

import type { Logger } from "pino";
import type { Afterwards } from "./afterwards.js";
import type { AdoptedServer } from "./backends/adopted.js";
import type { Backend, BackendRef, DesiredChange, DesiredSet, Hold } from "./backends/backend.js";
import type { Decisions } from "./backends/decisions.js";
import type { ServiceStatus } from "./backends/status.js";
import type { Config } from "./config/schema.js";
import type { History } from "./explain/history.js";
import type { OfferChange } from "./fleet/offer.js";
import type { HostChange } from "./fleet/registry.js";
import type { Container, ContainerChange } from "./identity/container.js";
import type { Addresses } from "./identity/identity.js";
import type { Place, Presence } from "./identity/presence.js";
import type { Resolver } from "./identity/resolver.js";
import type { JudgedListener, Known } from "./judged.js";
import type { FullQueue, KernelEvent, Read } from "./listeners/event.js";
import type { Probe } from "./readiness/probe.js";
import type { SensorState } from "./sensor/sensor.js";
import type { Remembered } from "./state.js";

export interface PipelineOptions {
	readonly config: Config;
	readonly resolver: Resolver;
	/** The second opinion on a server that a proxy has and that the kernel's table lacks. */
	presenceOf(place: Place): Presence;
	readonly log: Logger;
	/** What was kept of an earlier run. */
	readonly remembered?: Remembered;
	/** All containers that an engine tells of now. */
	containers?(): Iterable<Container>;
	/** Asks those that have to answer before they join, once `adopt` was called; without it all are taken for ready. */
	readonly probe?: Probe;
	/** All accept queues that are full now; throws where that can't be known. Without it nobody is found to be hung. */
	readFullQueues?(): readonly FullQueue[];
	/** Milliseconds of a clock that does not jump. */
	now(): number;
	/** The kernel's clock, as in the events. */
	bootTimeNs(): number;
	/** Does what need not be done before a change is acted on: the log and the history. Without it that is done at once. */
	readonly afterwards?: Pick<Afterwards, "add" | "flush">;
	onChange(change: DesiredChange): void;
	/** What the next run has to know differs from before. */
	onRemember?(remembered: Remembered): void;
	/** The kernel's table should be read again, soon. */
	requestRead(): void;
	/** The registry should be read again, soon: some of other hosts wait for it to say that they should go. */
	requestRemote?(): void;
	/** Other hosts are to be told; never while `fleet.publish` is not set. */
	onOffer?(changes: readonly OfferChange[]): void;
	/** The addresses of this host's own namespace; default: unknown. */
	ownAddresses?(): Addresses;
}

export interface Pipeline {
	onEvents(events: readonly KernelEvent[]): void;
	onRead(read: Read): void;
	/** While the sensor is down nothing goes or comes by a time that is over: unknown is not absent. */
	onSensor(state: Pick<SensorState, "state">): void;
	/** Takes in what the proxies have from an earlier run; after the first read, so that only what is missing stays. */
	adopt(servers: readonly Omit<AdoptedServer, "weight">[]): void;
	/** An engine tells of containers: what they declare may make services, and let their listeners join. */
	onContainers(changes: readonly ContainerChange[]): void;
	/** Looks again at every listener: addresses may have changed without an event. */
	recheck(): void;
	/** Judges everything anew, by other rules. */
	reconfigure(config: Config): void;
	/** A person's word on a backend, there or not: it wins over all else until it is released. */
	hold(ref: BackendRef, state: Hold["state"]): void;
	/** False when nobody held it. */
	release(ref: BackendRef): boolean;
	holds(): readonly Hold[];
	/** A service by label is no more. Undefined when that is done, else why not, as a clause. */
	forget(service: string): string | undefined;
	/** What the next run has to know. */
	remembered(): Remembered;
	/** Undefined until the first read: unknown is not empty. */
	desired(): DesiredSet | undefined;
	/** What `desired` has of one backend, at once. */
	backend(ref: BackendRef): Backend | undefined;
	/** Every backend that listens or is in the set, with its state and why it is so. */
	status(): readonly ServiceStatus[];
	listeners(): Known[];
	/** How many of them there are. */
	listenerCount(): number;
	/** How each rule decides on one of them; worked out when it is asked for. */
	decisions(listener: JudgedListener): Decisions;
	/** What happened to endpoints since the first read. */
	readonly history: Pick<History, "of" | "elsewhere" | "goneElsewhere" | "departed" | "since">;
	/** Other hosts offer these, or no longer. Goes on while the sensor is down: it is their sensors' word. */
	onRemote(changes: readonly HostChange[]): void;
	/** The registry was read in full; it began then. */
	onRemoteComplete(beganMs: number): void;
	/** There are no others any more: what they offered goes. */
	forgetRemote(): void;
	/** This host's address on its connection to the registry. */
	onLocalAddress(address: string): void;
	/** All that others are to be told of this host, as of the last step. */
	offers(): OfferChange[];
	/** Whether more is to be known of listeners before all that this host has is offered: `engine` can take any time. */
	isUnsure(): "engine" | "pending" | undefined;
	/** A time of the kernel's clock, in that of `now`. */
	toMs(atNs: number): number;
	close(): void;
}
