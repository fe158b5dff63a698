#!/bin/sh
# A Ceph in one container: a monitor, an OSD in memory, and the gateway that speaks S3, at port 80.
set -e
ip=$(hostname -i | cut -d' ' -f1)
fsid=$(cat /proc/sys/kernel/random/uuid)
cat >/etc/ceph/ceph.conf <<END
[global]
fsid = $fsid
mon host = [v2:$ip:3300,v1:$ip:6789]
keyring = /etc/ceph/keyring
auth allow insecure global id reclaim = false
mon allow pool size one = true
mon data avail crit = 1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 4294967296
[client.admin]
rgw frontends = beast port=80
rgw thread pool size = 32
rgw bucket quota ttl = 0
# The memory of what was removed is needed again at once, not in two hours.
rgw gc obj min wait = 1
rgw gc processor period = 1
END
mkdir -p /var/lib/ceph/mon/ceph-a /var/lib/ceph/osd/ceph-0 /var/run/ceph
ceph-authtool -C /etc/ceph/keyring --gen-key -n mon. --cap mon 'allow *'
ceph-authtool /etc/ceph/keyring --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *'
monmaptool --create --fsid "$fsid" --addv a "[v2:$ip:3300,v1:$ip:6789]" /tmp/monmap
ceph-mon --mkfs -i a --keyring /etc/ceph/keyring --monmap /tmp/monmap
ceph-mon -i a
uuid=$(cat /proc/sys/kernel/random/uuid)
key=$(ceph-authtool --gen-print-key)
echo "{\"cephx_secret\": \"$key\"}" | ceph osd new "$uuid" 0 -i -
ceph-authtool /etc/ceph/keyring -n osd.0 --add-key "$key"
ceph-osd -i 0 --mkfs --osd-uuid "$uuid"
ceph osd crush add osd.0 1.0 root=default host=here
ceph-osd -i 0
exec radosgw -f -n client.admin
