/** Stub until the real one is merged. */
import type { Logger } from "pino";
import type { ContainerChange, Engine } from "../container.js";

export interface EngineOptions {
	readonly socket: string;
	readonly log: Logger;
	onChange(changes: readonly ContainerChange[]): void;
}

export function openEngine(_: EngineOptions): Engine {
	throw new Error("not yet");
}
