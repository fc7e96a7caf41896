#!/bin/bash
# Run a command in a network namespace of its own: loopback and one interface (10.77.0.1), from
# which nothing can leave. libnice does not use loopback and would send UPnP multicast outside.
set -eu
exec unshare --net -- bash -c '
  ip link set lo up
  ip link add peer0 type veth peer name peer1
  sysctl -qw net.ipv6.conf.all.disable_ipv6=1
  ip addr add 10.77.0.1/24 dev peer0
  ip link set peer0 up
  ip link set peer1 up
  ip route add default via 10.77.0.2
  exec "$@"
' closed-net "$@"
