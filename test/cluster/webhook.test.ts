import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { parseSecret, webhookHeaders, webhookId } from "../../cluster/webhook.js";

const first = Buffer.alloc(32, 1);
const second = Buffer.alloc(24, 2);
const whsec = (bytes: Buffer) => `whsec_${bytes.toString("base64")}`;

describe("webhookHeaders", () => {
  it("sign id, timestamp and body with every secret", () => {
    const body = Buffer.from('{"ID":"a.b"}');
    const headers = webhookHeaders({ id: "a%2Eb:7", atMs: 1763683200999, body, secrets: [first, second] });
    const sign = (key: Buffer) =>
      createHmac("sha256", key).update('a%2Eb:7.1763683200.{"ID":"a.b"}', "utf8").digest("base64");
    expect(headers).toEqual({
      "webhook-id": "a%2Eb:7",
      "webhook-timestamp": "1763683200",
      "webhook-signature": `v1,${sign(first)} v1,${sign(second)}`,
    });
  });

  it("agree with the example of the Standard Webhooks specification", () => {
    const secrets = [parseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")];
    const body = Buffer.from('{"test": 2432232314}');
    const headers = webhookHeaders({ id: "msg_p5jXN8AQM9LWM0D4loKWxJek", atMs: 1614265330000, body, secrets });
    expect(headers["webhook-signature"]).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  });

  it("leave the signature out without a secret", () => {
    const headers = webhookHeaders({ id: "a:1", atMs: 0, body: Buffer.alloc(0), secrets: [] });
    expect(headers).toEqual({ "webhook-id": "a:1", "webhook-timestamp": "0" });
  });
});

describe("webhookId", () => {
  it.each<[string, number, string]>([
    ["order-17", 3, "order-17:3"],
    ["a.b.c", 1, "a%2Eb%2Ec:1"],
    ["a/b c", 1, "a%2Fb%20c:1"],
    ["größe", 12, "gr%C3%B6%C3%9Fe:12"],
    ["a\ud800", 1, "a%EF%BF%BD:1"],
  ])("of %j version %d is %s", (id, version, expected) => {
    expect(webhookId(id, version)).toBe(expected);
  });
});

describe("parseSecret", () => {
  it("takes 24 to 64 bytes", () => {
    expect(parseSecret(whsec(first))).toEqual(first);
    expect(parseSecret(whsec(Buffer.alloc(64, 3)))).toEqual(Buffer.alloc(64, 3));
  });

  it.each(["", "whsec_", first.toString("base64"), whsec(Buffer.alloc(23)), whsec(Buffer.alloc(65)), "whsec_!!!!"])(
    "refuses %j without repeating it",
    (text) => {
      expect(() => parseSecret(text)).toThrow(/^a webhook secret is whsec_ and the base64 of 24 to 64 bytes$/);
    },
  );
});
