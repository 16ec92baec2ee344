# Shared by deploy/images/build and deploy/images/try.

# Needs no user namespace.
isolation=${BUILDAH_ISOLATION:-chroot}

said() {
  printf '  %s\n' "$*"
}

# Whether the kernel lets us stack folders; vfs copies them instead.
best_driver() {
  local try
  try=$(mktemp -d)
  mkdir "$try"/{lower,upper,work,merged}
  if mount -t overlay overlay -o "lowerdir=$try/lower,upperdir=$try/upper,workdir=$try/work" "$try/merged" 2>/dev/null; then
    umount "$try/merged"
    printf 'overlay'
  else
    printf 'vfs'
  fi
  rm -rf "$try"
}

# Images, and what building leaves behind, outside of the clone.
driver=${STORAGE_DRIVER:-$(best_driver)}
work=${XDG_CACHE_HOME:-$HOME/.cache}/parley-tools/images
mkdir -p "$work"
storage=(--storage-driver "$driver" --root "$work/$driver" --runroot "$work/run-$driver")
buildah=(buildah "${storage[@]}")
podman=(podman "${storage[@]}")

# Where this machine's own packages come from.
apt_mirror() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    awk '/^URIs:.*debian/ { print $2; exit } /^deb .*debian/ { for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) { print $i; exit } }'
}
