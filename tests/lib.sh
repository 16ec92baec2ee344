# Shared by tests/run, tests/check, .ci/run and loadtest/k6/local.

# stage NAME COMMAND…: runs it and says how long it took.
stage() {
  local name=$1 begun=$SECONDS
  shift
  printf '\n==> %s\n' "$name"
  "$@"
  printf '==> %s: %d s\n' "$name" $((SECONDS - begun))
}

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# print_results FOLDER: the runners' own lines, without colours.
print_results() {
  sed 's/\x1b\[[0-9;]*m//g' "$1"/*.log | grep -E '^test result: |^ *Tests  |^smoke on |^e2e: ' | sed 's/^ *//'
}

# The binaries of Postgres stand outside of PATH on Debian.
postgres_bin() {
  local initdb
  initdb=$(command -v initdb || ls -1 /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -1) || true
  [[ -n $initdb ]] && dirname "$initdb"
}

# need_tools TOOL…: all of them are here, or the run ends with what to install.
# On Debian as root what can be installed is installed.
need_tools() {
  local missing=() packages=() tool
  for tool in "$@"; do
    case $tool in
      rust) command -v cargo >/dev/null || missing+=("Rust 1.95 or newer, with rustfmt and clippy") ;;
      node)
        local version
        version=$(node --version 2>/dev/null | tr -d v) || true
        if [[ -z $version ]] || ! command -v npm >/dev/null ||
          [[ $(printf '20.19.0\n%s\n' "$version" | sort -V | head -1) != 20.19.0 ]]; then
          missing+=("Node.js 20.19 or newer, with npm")
        fi
        ;;
      cc) command -v cc >/dev/null || packages+=(build-essential) ;;
      postgres) postgres_bin >/dev/null || packages+=(postgresql) ;;
      redis) command -v redis-server >/dev/null || packages+=(redis-server) ;;
      sqlite3) command -v sqlite3 >/dev/null || packages+=(sqlite3) ;;
      faketime) command -v faketime >/dev/null || packages+=(faketime) ;;
      haproxy) command -v haproxy >/dev/null || [[ -x /usr/sbin/haproxy ]] || packages+=(haproxy) ;;
      python) python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv) ;;
      podman) command -v podman >/dev/null || packages+=(podman podman-compose runc netavark aardvark-dns iptables) ;;
      buildah | debootstrap) command -v "$tool" >/dev/null || packages+=("$tool") ;;
      nginx) command -v nginx >/dev/null || [[ -x /usr/sbin/nginx ]] || packages+=(nginx-light) ;;
      prometheus)
        command -v promtool >/dev/null || packages+=(prometheus)
        command -v amtool >/dev/null || packages+=(prometheus-alertmanager)
        ;;
      curl) command -v curl >/dev/null || packages+=(curl) ;;
      chromium) command -v chromium >/dev/null || packages+=(chromium) ;;
    esac
  done
  [[ ${#missing[@]} -eq 0 ]] || die "Install first: $(printf '%s; ' "${missing[@]}")"
  [[ ${#packages[@]} -eq 0 ]] && return
  if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    die "Install first (names of Debian packages): ${packages[*]}"
  fi
  printf 'Installing %s\n' "${packages[*]}"
  apt-get update -qq
  # Servers are for the tests to start: Prometheus' own would take port 9090.
  local policy=/usr/sbin/policy-rc.d ours="" outcome=0
  if [[ ! -e $policy ]]; then
    ours=$policy
    printf '#!/bin/sh\nexit 101\n' >"$ours"
    chmod +x "$ours"
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null || outcome=$?
  [[ -z $ours ]] || rm -f "$ours"
  return "$outcome"
}
