/**
 * A trip: a flight, a room, a mail. When there is no room anywhere, the flight is given back.
 */
import type { Client } from "slct/client";
import { activity, Failure, flow, flowProcesses, flows, implement, step, type StepInput } from "slct/sdk";

interface Trip {
  readonly to: string;
  readonly nights: number;
}

type Input = StepInput<Trip>;

const bookFlight = activity<Input, string>("travel", "book-flight", { timeout: "1m", retry: { attempts: 5 } });
const bookRoom = activity<Input, string>("travel", "book-room", { timeout: "1m" });

const flight = step("flight", { endpoint: bookFlight, compensate: "travel.cancel" });
const hotel = step("hotel", {
  endpoint: bookRoom,
  compensate: "travel.cancel",
  requires: [flight],
  fallback: "hostel",
});
const hostel = step("hostel", { endpoint: bookRoom, compensate: "travel.cancel" });
const mail = step("mail", { endpoint: "travel.mail", requires: [flight, hotel] });

export const trip = flow("trip", [flight, hotel, hostel, mail]);

export const processes = flowProcesses();

export const activities = [
  implement(bookFlight, ({ request }, a) => booking(a.idempotencyKey, `flight to ${request.body.to}`)),
  implement(bookRoom, ({ step, request }, a) => {
    const { to, nights } = request.body;
    if (!rooms(step, nights)) throw new Failure(`no room at the ${step} in ${to}`, { code: "sold_out" });
    return booking(a.idempotencyKey, `${step} in ${to} for ${nights} nights`);
  }),
  implement(activity<Input>("travel", "cancel"), ({ response }) => {
    given.push(response?.body as string);
  }),
  implement(activity<Input, string>("travel", "mail"), ({ responses }) => {
    const bookings = Object.values(responses).map(({ body }) => body as string);
    return `Have a good trip: ${bookings.join(", ")}`;
  }),
];

export async function* demo(client: Client): AsyncGenerator<string> {
  const travel = flows(client);
  for (const nights of [2, 5, 30]) {
    const id = await travel.execute(trip, { to: "Oslo", nights });
    const result = await travel.result(id).then(
      ({ mail }) => mail?.body.decode<string>(),
      (error: Failure) => `${error.code}: ${error.message}`,
    );
    const { status, steps } = await travel.status(id);
    yield `${nights} nights: ${result}`;
    yield `  ${status}, ${Object.entries(steps)
      .map(([step, status]) => `${step} ${status}`)
      .join(", ")}`;
  }
  yield `given back: ${given.join(", ")}`;
}

/** What was cancelled. */
const given: string[] = [];

/** What an airline or a hotel would do: one booking for each key. */
function booking(key: string, what: string): string {
  return key === "" ? "" : what;
}

function rooms(where: string, nights: number): boolean {
  return nights <= (where === "hotel" ? 3 : 7);
}
