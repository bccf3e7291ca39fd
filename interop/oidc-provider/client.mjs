// A client of the shop: gets tokens from the provider, and makes calls with them.
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { ISSUER } from "./places.mjs";

const SIGNED_IN = "http://127.0.0.1/signed-in";
const MAX_REDIRECTS = 10;
const MAX_RETRIES = 20;

function request(url, options) {
  return fetch(url, { redirect: "manual", signal: AbortSignal.timeout(5000), ...options });
}

async function endpoints() {
  return (await request(`${ISSUER}/.well-known/openid-configuration`)).json();
}

async function redeem(url, parameters) {
  const response = await request(url, { method: "POST", body: new URLSearchParams(parameters) });
  const tokens = await response.json();
  if (!response.ok) throw new Error(`no token: ${JSON.stringify(tokens)}`);
  return tokens;
}

// Signs in as a browser would, by the authorization code flow with PKCE (RFC 7636). Resolves to the
// response of the token endpoint: an access token for the resource, and an ID token.
export async function signIn(account, resource = "urn:shop") {
  const { authorization_endpoint, token_endpoint } = await endpoints();
  const verifier = randomBytes(32).toString("base64url");
  // Without a resource, the access token is an opaque one that is for the provider itself.
  const target = resource && { resource };
  let url = new URL(authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: "storefront",
    response_type: "code",
    redirect_uri: SIGNED_IN,
    scope: "openid orders",
    login_hint: account,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    ...target,
  });

  const cookies = new Map();
  for (let count = 0; !url.href.startsWith(SIGNED_IN); count += 1) {
    const cookie = [...cookies].map((pair) => pair.join("=")).join("; ");
    const response = await request(url, { headers: { cookie } });
    const location = response.headers.get("location");
    if (location === null || count === MAX_REDIRECTS) {
      throw new Error(`not signed in: ${response.status} ${await response.text()}`);
    }
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      cookies.set(name, value);
    }
    url = new URL(location, url);
  }
  return redeem(token_endpoint, {
    grant_type: "authorization_code",
    client_id: "storefront",
    code: url.searchParams.get("code"),
    code_verifier: verifier,
    redirect_uri: SIGNED_IN,
    ...target,
  });
}

export async function token(account, resource) {
  return (await signIn(account, resource)).access_token;
}

// The token of a program that acts for itself (RFC 6749, section 4.4).
export async function tokenOfProgram() {
  const { token_endpoint } = await endpoints();
  const tokens = await redeem(token_endpoint, {
    grant_type: "client_credentials",
    client_id: "stocktaking",
    client_secret: "the secret of a client that exists in this test only",
    resource: "urn:shop",
  });
  return tokens.access_token;
}

// Makes a call. Resolves to its status code, with the message, or with the reason of the refusal
// and the time after which to call again.
export function call(address, method, { token, data = {} } = {}) {
  const authorization = token === undefined ? [] : ["-H", `authorization: Bearer ${token}`];
  const options = ["-plaintext", "-format-error", "-connect-timeout", "1", "-max-time", "10"];
  const args = [...options, ...authorization, "-d", JSON.stringify(data), address, method];
  return new Promise((resolve, reject) => {
    execFile("grpcurl", args, { timeout: 15_000 }, (error, stdout, stderr) => {
      if (!error) return resolve({ code: 0, message: JSON.parse(stdout) });
      // Without a status there was no response: nothing listens there yet.
      if (error.code === 1) return resolve({ code: undefined });
      if (typeof error.code !== "number") return reject(error);
      const { code, details = [] } = JSON.parse(stderr);
      const detail = (name) => details.find((detail) => detail["@type"].endsWith(`.${name}`));
      const { reason } = detail("ErrorInfo") ?? {};
      const { retryDelay } = detail("RetryInfo") ?? {};
      return resolve({ code, reason, retryDelay });
    });
  });
}

// Makes a call, and repeats it after the retry delay of the response, as long as there is one.
export async function callPatiently(...args) {
  for (let count = 0; ; count += 1) {
    const response = await call(...args);
    if (response.retryDelay === undefined || count === MAX_RETRIES) return response;
    await pause(Math.max(parseFloat(response.retryDelay) * 1000, 50));
  }
}
