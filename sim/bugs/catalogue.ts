/**
 * All seeded bugs.
 */
import type { Bug } from "./bug.js";
import { engineBugs } from "./engine.js";
import { hostBugs } from "./host.js";
import { memberBugs } from "./members.js";
import { raftBugs } from "./raft.js";
import { shellBugs } from "./shell.js";

export const bugs: readonly Bug[] = [...raftBugs, ...memberBugs, ...hostBugs, ...shellBugs, ...engineBugs];
