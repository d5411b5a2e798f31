/** What a proxy is to do. */
export interface Setup {
  /** The port of the server behind it. */
  readonly backend: number;
  /** The server behind it speaks TLS. */
  readonly isBackendSecure?: boolean;
  /** Its own clients speak TLS. */
  readonly isSecure?: boolean;
  /** The name it asks the server behind it for, if not the one it was asked for itself. */
  readonly internalHost?: string;
  /** Seconds without a byte after which it ends a connection. */
  readonly idleSeconds?: number;
}

/** Files that a configuration may name. */
export interface Files {
  readonly folder: string;
  readonly cert: string;
  readonly key: string;
  /** Both of them in one file. */
  readonly pem: string;
}

/** The name that page and socket were asked for is in one of two fields. */
function hostOf({ internalHost }: Setup, asked: string): [field: string, value: string][] {
  if (internalHost === undefined) return [['Host', asked]];
  return [
    ['Host', internalHost],
    ['X-Forwarded-Host', asked],
  ];
}

/** A configuration of nginx with this as its server. */
export function nginxWith({ folder }: Files, server: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr warn;
events {}
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  map $http_upgrade $connection_upgrade {
    default upgrade;
    '' close;
  }
  server {
    ${server}
  }
}
`;
}

export function nginxConfig(setup: Setup, port: number, files: Files): string {
  const { backend, isBackendSecure = false, isSecure = false, idleSeconds = 60 } = setup;
  const host = hostOf(setup, '$http_host').map(
    ([field, value]) => `proxy_set_header ${field} ${value};`,
  );
  return nginxWith(
    files,
    `
    listen 127.0.0.1:${port}${isSecure ? ' ssl' : ''};
    ${isSecure ? `ssl_certificate ${files.cert}; ssl_certificate_key ${files.key};` : ''}
    location /admin { return 403; }
    location / {
      proxy_pass ${isBackendSecure ? 'https' : 'http'}://127.0.0.1:${backend};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      ${host.join('\n      ')}
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_read_timeout ${idleSeconds}s;
    }`,
  );
}

export function haproxyConfig(setup: Setup, port: number, files: Files): string {
  const { backend, isBackendSecure = false, isSecure = false, idleSeconds = 60 } = setup;
  const host = hostOf(setup, '%[var(txn.host)]').map(
    ([field, value]) => `http-request set-header ${field} ${value}`,
  );
  return `
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  timeout tunnel ${idleSeconds}s
frontend outside
  bind 127.0.0.1:${port}${isSecure ? ` ssl crt ${files.pem}` : ''}
  http-request deny if { path_beg /admin }
  http-request set-var(txn.host) req.hdr(Host)
  ${host.join('\n  ')}
  http-request set-header X-Forwarded-Proto ${isSecure ? 'https' : 'http'}
  option forwardfor
  default_backend inside
backend inside
  server one 127.0.0.1:${backend}${isBackendSecure ? ' ssl verify none' : ''}
`;
}
