/** All proxies of a configuration, each with its driver and its loop. Knows nothing of where backends come from. */

import { isDeepStrictEqual } from "node:util";
import type { Logger } from "pino";
import type { DesiredSet } from "../backends/backend.js";
import type { Config, ProxyConfig } from "../config/schema.js";
import { type Loop, type LoopChange, openLoop } from "./loop.js";
import { openDriver } from "./open.js";
