import { describe, expect, test } from "bun:test";
import {
  answerChallenge,
  formatDigestChallenge,
  formatDigestCredentials,
  parseDigestChallenge,
  parseDigestCredentials,
  verifyDigest,
} from "./digest.ts";
import { SipSyntaxError } from "./syntax-error.ts";

const rfc7616 = {
  username: "Mufasa",
  password: "Circle of Life",
  method: "GET",
  uri: "/dir/index.html",
  nonceCount: 1,
  cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
};

/** RFC 7616 §3.9.1 with the algorithm put in. */
function rfc7616Challenge(algorithm: string): string {
  return `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm},
    nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`;
}

describe("a challenge is answered", () => {
  test("with MD5 as in RFC 7616 §3.9.1", () => {
    const credentials = answerChallenge(parseDigestChallenge(rfc7616Challenge("MD5")), rfc7616);
    expect(credentials.response).toBe("8ca523f5e9506fed4657c9700eebdbec");
    expect(credentials.qop).toEqual({ nonceCount: "00000001", cnonce: rfc7616.cnonce });
  });

  test("with SHA-256 as in RFC 7616 §3.9.1", () => {
    const credentials = answerChallenge(parseDigestChallenge(rfc7616Challenge("SHA-256")), rfc7616);
    expect(credentials.response).toBe(
      "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    );
  });

  test("with MD5 and qop as in RFC 2617 §3.5", () => {
    const challenge = parseDigestChallenge(
      'Digest realm="testrealm@host.com", qop="auth,auth-int", ' +
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"',
    );
    const answer = answerChallenge(challenge, {
      ...rfc7616,
      password: "Circle Of Life",
      cnonce: "0a4f113b",
    });
    expect(answer.response).toBe("6629fae49393a05397450978507c4ef1");
  });

  test("without qop in the old form, from a challenge that names no qop", () => {
    const challenge = parseDigestChallenge('Digest realm="asterisk", nonce="1234"');
    const answer = answerChallenge(challenge, {
      ...rfc7616,
      method: "REGISTER",
      uri: "sip:a.example",
    });
    expect(answer.qop).toBeNull();
    expect(formatDigestCredentials(answer)).not.toContain("nc=");
    expect(verifyDigest(answer, "Circle of Life", "REGISTER")).toBe(true);
  });
});

describe("credentials", () => {
  const challenge = parseDigestChallenge(
    'Digest realm="a \\"b\\"", nonce="n1", qop="auth", stale=TRUE',
  );
  const answer = answerChallenge(challenge, {
    ...rfc7616,
    method: "INVITE",
    uri: "sip:600@a.example",
  });

  test("survive being written and read", () => {
    expect(challenge.realm).toBe('a "b"');
    expect(challenge.isStale).toBe(true);
    expect(parseDigestCredentials(formatDigestCredentials(answer))).toEqual(answer);
    expect(parseDigestChallenge(formatDigestChallenge(challenge))).toEqual(challenge);
  });

  test("are wrong with another password, another method, another URI or another length", () => {
    expect(verifyDigest(answer, "Circle of Life", "INVITE")).toBe(true);
    expect(verifyDigest(answer, "circle of life", "INVITE")).toBe(false);
    expect(verifyDigest(answer, "Circle of Life", "REGISTER")).toBe(false);
    expect(verifyDigest({ ...answer, uri: "sip:601@a.example" }, "Circle of Life", "INVITE")).toBe(
      false,
    );
    expect(verifyDigest({ ...answer, response: "" }, "Circle of Life", "INVITE")).toBe(false);
  });
});

test("what is no digest, lacks a field, or has one twice is refused", () => {
  const wrong = [
    "",
    "Digest",
    'Basic realm="x"',
    'Digest realm="x"',
    'Digest realm="x", nonce="n", nonce="m"',
    'Digest realm="x", nonce="n", algorithm=MD4',
    'Digest realm="x", nonce="n", =1',
    'Digest realm="x", nonce',
  ];
  for (const value of wrong)
    expect(() => parseDigestChallenge(value), value).toThrow(SipSyntaxError);
  const start = 'Digest username="u", realm="r", nonce="n", uri="sip:a", response="00"';
  expect(parseDigestCredentials(start).qop).toBeNull();
  const badQop = [
    ", qop=auth",
    ", qop=auth, cnonce=c",
    ", qop=auth, nc=1, cnonce=c",
    ", qop=auth-int",
  ];
  for (const end of badQop) {
    expect(() => parseDigestCredentials(start + end), end).toThrow(SipSyntaxError);
  }
});
