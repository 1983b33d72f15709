/** The file in docs/configuration.md; a test loads it. */
export const EXAMPLE = `
version: 0.1
log:
  level: info
  formatter: json
  fields:
    service: registry
http:
  addr: :443
  host: https://registry.example.com
  tls:
    certificate: /etc/disco/tls.crt
    key: /etc/disco/tls.key
  headers:
    X-Content-Type-Options: [nosniff]
  debug:
    addr: localhost:5001
auth:
  htpasswd:
    realm: Registry
    path: /etc/disco/htpasswd
access:
  - repository: ['**']
    users: ['anonymous', '*']
    actions: [pull]
  - repository: ['apps/**']
    users: [ci]
    actions: [push]
  - repository: ['**']
    users: [admin]
    actions: ['*']
storage:
  delete:
    enabled: true
  maintenance:
    uploadpurging:
      age: 168h
      interval: 24h
notifications:
  endpoints:
    - name: ci
      url: https://ci.example.com/hook
      headers:
        Authorization: [Bearer s3cret]
      timeout: 5s
      threshold: 5
      backoff: 10s
disco:
  data: /var/lib/disco
  network: public
  listen:
    - /ip4/0.0.0.0/tcp/4001
  peer:
    - https://disco.example.org
  limits:
    rate: 500
    blobsize: 20GiB
`
