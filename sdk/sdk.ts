/**
 * `slct/sdk`: durable processes, and the workers that run them.
 */
export { after, at, channel, otherwise, recv, send } from "./client.js";
export { encrypted, packed } from "./client/codec.js";
export { Failure, isSlctError, SlctError } from "./client/errors.js";
export type { Channel, ChannelLike, Codec, Json, Selected, StandardSchema } from "./client.js";
export type { CallOptions as FlowCallOptions, CallReport } from "./flow/call.js";
export type { Endpoint, EndpointLike } from "./flow/endpoint.js";
export { flowProcesses, flows } from "./flow/flows.js";
export type { ExecuteOptions, Flows, FlowView } from "./flow/flows.js";
export { RawMessage, withHeader } from "./flow/message.js";
export type { Decoded, Message, StepInput } from "./flow/message.js";
export { flowStatuses, flowStatusOf, flowStatusValue } from "./flow/status.js";
export type { FlowStatus } from "./flow/status.js";
export { flow, step, stepText } from "./flow/step.js";
export type { Flow, FlowStep, FlowStepOptions } from "./flow/step.js";
export { accepts } from "./process/accepts.js";
export { activity, implement } from "./process/activity.js";
export type { Activity, ActivityContext, ActivityOptions, Implementation, Pending } from "./process/activity.js";
export { process } from "./process/definition.js";
export type { MigrationValues, ProcessDefinition, ProcessOptions } from "./process/definition.js";
export type {
  Awaiting,
  Child,
  LoopContext,
  LoopDone,
  ProcessContext,
  ProcessInfo,
  Receiving,
  RetryPolicy,
  Sending,
  Settled,
  StepContext,
  StepOptions,
  Timer,
} from "./process/context.js";
export { act, end, goto, machine, wait } from "./process/machine.js";
export type { MachineDefinition, MachineState, Next, TransitionContext } from "./process/machine.js";
export { object } from "./process/object.js";
export type { Messages, ObjectContext, ObjectDefinition } from "./process/object.js";
export { service } from "./process/service.js";
export type { ServiceDefinition } from "./process/service.js";
export { collector } from "./worker/collector.js";
export { ingress } from "./worker/ingress.js";
export type { IngressOptions } from "./worker/ingress.js";
export { replay } from "./worker/replay.js";
export type { Mismatch, Replayed, ReplayOptions, Traced } from "./worker/replay.js";
export { nodeHandler } from "./worker/node-handler.js";
export { serve } from "./worker/serve.js";
export type { Handler, ServeOptions } from "./worker/serve.js";
export { worker } from "./worker/worker.js";
export type { Worker, WorkerOptions } from "./worker/worker.js";
