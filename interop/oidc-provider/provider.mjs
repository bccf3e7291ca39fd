// An OpenID provider on loopback that knows the shop's accounts. Its private keys come as a JWK Set
// on standard input: it signs with the first, and publishes all.
import { text } from "node:stream/consumers";
import Provider, { errors } from "oidc-provider";

const port = Number(process.argv[2]);
const jwks = JSON.parse(await text(process.stdin));
const { alg, kid } = jwks.keys[0];

const ACCOUNTS = {
  buyer: { roles: ["buyer"], permissions: ["orders:create", "orders:read"] },
  viewer: { roles: [], permissions: ["orders:read"] },
  admin: { roles: ["admin"], permissions: ["orders:create", "orders:read"] },
};

// Whom a token is for is what the client asks for (RFC 8707).
const RESOURCES = {
  "urn:shop": { audience: "shop", accessTokenTTL: 300 },
  "urn:shop:briefly": { audience: "shop", accessTokenTTL: 1 },
  "urn:warehouse": { audience: "warehouse", accessTokenTTL: 300 },
};

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks,
  clients: [
    {
      client_id: "storefront",
      redirect_uris: ["http://127.0.0.1/signed-in"],
      token_endpoint_auth_method: "none",
      id_token_signed_response_alg: alg,
    },
    {
      client_id: "stocktaking",
      client_secret: "the secret of a client that exists in this test only",
      grant_types: ["client_credentials"],
      response_types: [],
      redirect_uris: [],
      id_token_signed_response_alg: alg,
    },
  ],
  cookies: { keys: ["the secret of a provider that exists in this test only"] },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo(_, resource) {
        if (!Object.hasOwn(RESOURCES, resource)) throw new errors.InvalidTarget();
        const format = { accessTokenFormat: "jwt", jwt: { sign: { alg, kid } } };
        return { scope: "orders", ...format, ...RESOURCES[resource] };
      },
    },
  },
  findAccount(_, accountId) {
    if (!Object.hasOwn(ACCOUNTS, accountId)) return undefined;
    return { accountId, claims: () => ({ sub: accountId }) };
  },
  // Programs that act for themselves have no account.
  extraTokenClaims: (_, { accountId }) =>
    accountId && { email: `${accountId}@example.com`, ...ACCOUNTS[accountId] },
  // Nobody is there to be asked for consent.
  async loadExistingGrant({ oidc }) {
    const { accountId } = oidc.session;
    const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId });
    grant.addOIDCScope("openid");
    Object.keys(RESOURCES).forEach((resource) => grant.addResourceScope(resource, "orders"));
    await grant.save();
    return grant;
  },
});

// Where a password would be asked for: whoever the client says is there has signed in. All else of
// the flow is the provider's own, so that the tokens are what real users get.
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith("/interaction/")) return next();
  const { params } = await provider.interactionDetails(ctx.req, ctx.res);
  const login = { accountId: params.login_hint };
  ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, { login }));
});
provider.on("server_error", (_, error) => console.error(error));

provider.listen(port, "127.0.0.1");
