// SPDX-License-Identifier: Apache-2.0
// Which of Wireshark's default colouring rules a row falls under. The server says it; these are for rows without.
import type { Row } from './types';

const BAD = /^\[TCP (?!Keep-Alive|Window Update)/;

export function colourOf(r: Row): string {
  if (r.colour !== undefined) return r.colour;
  if (r.malformed || BAD.test(r.info)) return 'bad';
  const p = r.protocol;
  if (p === 'ARP') return 'arp';
  if (p === 'ICMP' || p === 'ICMPv6') return /unreachable|exceeded/i.test(r.info) ? 'icmperr' : 'icmp';
  if (p === 'TCP' && /\[[^\]]*RST/.test(r.info)) return 'rst';
  if (p === 'TCP' && /\[(SYN|FIN)/.test(r.info)) return 'synfin';
  if (/^HTTP/.test(p)) return 'http';
  if (/^(UDP|DNS|MDNS|QUIC|DHCP|NTP|SSDP|CoAP|DTLS|MQTT-SN|LLMNR|SNMP|TFTP)/.test(p)) return 'udp';
  if (/^(TCP|TLS|SSL|MQTT|WebSocket|SSH)/.test(p)) return 'tcp';
  return '';
}
