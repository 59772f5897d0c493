/** Valkey 8, as Debian 13 has it. */

import { testAgainst } from "./against.js";

await testAgainst("valkey-server");
