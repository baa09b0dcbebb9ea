/**
 * Every behaviour suite: what runs on the engine alone and what runs on three nodes is the same.
 */
import "./state.js";
import "./put-back.js";
import "./same-entry.js";
import "./holding.js";
import "./looking.js";
import "./channels.js";
import "./reads.js";
