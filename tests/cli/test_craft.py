# SPDX-License-Identifier: Apache-2.0
"""weir craft: bytes as Scapy's for the same expression, values that are wrong on purpose, files that read shows."""
import re
import shutil
import subprocess

import pytest

PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's Scapy
E = 'Ether(dst="00:11:22:33:44:55",src="02:00:00:00:00:01")'
IP = 'IP(src="10.0.0.1",dst="10.0.0.9")'
IP6 = 'IPv6(src="2001:db8::1",dst="2001:db8::9")'

SAME = [
    E + "/" + IP, E, E + '/"payload"', 'Ether(dst="ff:ff:ff:ff:ff:ff",src="02:00:00:00:00:01",type=0x88b5)/Raw(load="x")',
    E + "/Dot1Q(vlan=7)/" + IP + "/UDP()", E + "/Dot1Q(prio=5,id=1,vlan=4095)/Dot1Q(vlan=2)/" + IP6,
    E + '/ARP(hwsrc="02:00:00:00:00:01",psrc="10.0.0.1",pdst="10.0.0.9")',
    E + '/ARP(op="is-at",hwsrc="02:00:00:00:00:01",psrc="10.0.0.1",hwdst="02:00:00:00:00:02",pdst="10.0.0.9")',
    E + '/ARP(op=9,hwsrc="02:00:00:00:00:01",psrc="10.0.0.1")',
    IP, IP + '/"x"', 'IP(src="10.0.0.1",dst="10.0.0.9",ttl=1,id=0xffff,tos=0xb8,flags="DF")/ICMP()',
    'IP(src="10.0.0.1",dst="10.0.0.9",flags="MF",frag=185,proto=17)/Raw("y"*16)', 'IP(src="10.0.0.1",dst="10.0.0.9",len=9)/UDP()/"abc"',
    'IP(src="10.0.0.1",dst="10.0.0.9",chksum=0x1234)/TCP()', 'IP(src="10.0.0.1",dst="10.0.0.9",version=5,ihl=15)/UDP()', IP + "/" + IP + "/ICMP()",
    IP + "/" + IP6 + '/UDP()/"6in4"', 'IP(src="10.0.0.1",dst="10.0.0.9",proto="tcp")/"no tcp"',
    IP + "/ICMP()", IP + "/ICMP(id=7,seq=9)/\"abcdefgh\"", IP + "/ICMP(type=0,id=1)", IP + '/ICMP(type="echo-request",code=3)/"odd"',
    IP + "/ICMP(type=3,code=4,nexthopmtu=1400)/" + IP + "/UDP()", IP + '/ICMP(type=5,code=1,gw="10.0.0.254")', IP + "/ICMP(type=11)/" + IP + "/TCP()",
    IP + "/ICMP(type=12,ptr=8)", IP + "/ICMP(chksum=1)",
    IP + "/UDP()", IP + '/UDP(sport=1,dport=2)/"hello"', IP + '/UDP(sport=1,dport=2,len=4)/"hello"', IP + "/UDP(chksum=0)", IP + "/UDP(sport=0xffff,dport=0xffd0)",
    IP6 + "/UDP(sport=5,dport=6)/Raw(b'\\x00\\xff\\x41')", "UDP()", 'TCP(sport=1)/"x"',
    IP + "/TCP()", IP + '/TCP(dport=1883,flags="SA",seq=0xffffffff,ack=1,window=0)', IP + '/TCP(flags="FSRPAUECN")', IP + '/TCP(flags=0,urgptr=3,reserved=7)',
    IP + "/TCP(dataofs=15)", IP + '/TCP(dataofs=0,chksum=7)/"x"', IP + '/TCP(sport=1,dport=2,flags="PA")/"GET / HTTP/1.1\\r\\n\\r\\n"', IP6 + '/TCP(flags="A")/"odd"',
    IP + '/TCP(options=[("MSS",1460),("NOP",None),("WScale",7),("SAckOK",b""),("Timestamp",(1,0))])', IP + '/TCP(options=[("NOP",None),("EOL",None)])',
    IP + '/TCP(options=[(254,b"ab")])',
    IP6, IP6 + "/ICMPv6EchoRequest()", IP6 + '/ICMPv6EchoRequest(id=1,seq=2,data="abc")', IP6 + '/ICMPv6EchoReply(id=1,seq=2,data="abcd")',
    'IPv6(src="::1",dst="::1",tc=3,fl=0xfffff,hlim=1,nh=200,plen=3)/"abc"', IP6 + "/TCP()/\"x\"",
    IP + '/UDP()/DNS(qd=DNSQR(qname="harvest.example"))', IP + '/UDP()/DNS(id=7,rd=0,qd=DNSQR(qname="a.example",qtype="AAAA"))',
    IP + '/UDP(sport=53,dport=9)/DNS(qr=1,aa=1,ra=1,rcode=3,qd=DNSQR(qname="a.b",qtype="MX",qclass="CH"))',
    IP + '/UDP()/DNS(qr=1,qd=DNSQR(qname="a.example"),an=DNSRR(rrname="a.example",rdata="10.1.2.3",ttl=60))',
    IP + '/UDP()/DNS(qr=1,qd=DNSQR(qname="a.example"),an=DNSRR(rrname="a.example",type="CNAME",rdata="b.example")/DNSRR(rrname="b.example",type="AAAA",rdata="::5"))',
    IP + '/UDP()/DNS(qdcount=9,qd=DNSQR(qname="a.example"))', IP + '/TCP(dport=53,flags="PA")/DNS(qd=DNSQR(qname="a.example"))',
    IP + '/UDP()/DNS(qd=DNSQR(qname="."),opcode=2,tc=1,ad=1,cd=1,z=1)',
    'IP(src="10.0.0.1",dst=["10.0.0.9","10.0.0.8"])/UDP(dport=[1,2,3])', 'IP(src="10.0.0.1",dst="10.0.0.0/30",ttl=(1,3))/ICMP()',
    IP + "/TCP(dport=[80,(1000,1003)],sport=[1,2])",
    # IP options
    'IP(src="10.0.0.1",dst="10.0.0.9",options=[IPOption_NOP(),IPOption_RR(routers=["1.2.3.4","5.6.7.8"])])/ICMP()',
    'IP(src="10.0.0.1",dst="10.0.0.9",options=[IPOption_LSRR(routers=["10.0.0.5"],pointer=4),IPOption_EOL()])/UDP()/"x"',
    'IP(src="10.0.0.1",dst="10.0.0.9",options=[IPOption_SSRR(copy_flag=1,routers=["10.0.0.5"])])/TCP()',
    'IP(src="10.0.0.1",dst="10.0.0.9",options=[IPOption_Router_Alert()],proto=2)/"igmp"',
    'IP(src="10.0.0.1",dst="10.0.0.9",options=[IPOption_Timestamp(length=12,flg=1,internet_address="10.0.0.1",timestamp=7)])/UDP()',
    'IP(src="10.0.0.1",dst="10.0.0.9",options=[IPOption_Security(security=1),IPOption_MTU_Probe(mtu=1400),IPOption_Stream_Id(security=9)])/UDP()',
    'IP(src="10.0.0.1",dst="10.0.0.9",options=[IPOption(option=30,value="abcd")])/UDP()',
    'IP(src="10.0.0.1",dst="10.0.0.9",options=[IPOption(b"\\x83\\x03\\x10")])/UDP()',
    # fragments
    'IP(src="10.0.0.1",dst="10.0.0.9",flags="MF",id=77)/UDP(sport=1,dport=2,len=40,chksum=0)/Raw("a"*16)',
    'IP(src="10.0.0.1",dst="10.0.0.9",frag=3,id=77,proto=17)/Raw("b"*16)',
    IP6 + "/IPv6ExtHdrFragment(offset=0,m=1,id=5,nh=17)/Raw('u'*16)", IP6 + "/IPv6ExtHdrFragment(offset=2,m=0,id=5)/UDP(chksum=0)",
    # IPv6 extension headers
    IP6 + "/IPv6ExtHdrHopByHop(options=[RouterAlert(value=0)])/ICMPv6MLReport(mladdr='ff02::fb')",
    IP6 + "/IPv6ExtHdrHopByHop()/TCP()", IP6 + "/IPv6ExtHdrHopByHop(options=[Jumbo(jumboplen=70000)])/UDP()",
    IP6 + '/IPv6ExtHdrDestOpt(options=[PadN(optdata="\\x00\\x00"),HBHOptUnknown(otype=0x3e,optdata="abcde")])/UDP(sport=1,dport=2)/"x"',
    IP6 + '/IPv6ExtHdrDestOpt(options=[HAO(hoa="2001:db8::77")])/ICMPv6EchoRequest()',
    IP6 + '/IPv6ExtHdrRouting(addresses=["2001:db8::3","2001:db8::4"])/UDP(sport=1,dport=2)/"x"', IP6 + '/IPv6ExtHdrRouting(type=2,addresses=["2001:db8::3"],segleft=0)/TCP()',
    IP6 + "/IPv6ExtHdrHopByHop()/IPv6ExtHdrRouting(addresses=['2001:db8::5'])/IPv6ExtHdrFragment(id=1)/ICMPv6EchoRequest()",
    # ICMP
    IP + "/ICMP(type=13,id=1,seq=2,ts_ori=1000,ts_rx=0,ts_tx=0)", IP + '/ICMP(type=18,id=1,seq=2,addr_mask="255.255.255.0")', IP + "/ICMP(type=4)/" + IP,
    IP + '/ICMP(type="source-quench")', IP + "/ICMP(type=3,code=1,length=5,nexthopmtu=0)/" + IP + "/TCP()", IP + "/ICMP(type=15,id=3)",
    # ICMPv6
    IP6 + "/ICMPv6DestUnreach(code=4)/" + IP6 + "/UDP()", IP6 + "/ICMPv6PacketTooBig(mtu=1400)/" + IP6 + "/TCP()", IP6 + "/ICMPv6TimeExceeded()/" + IP6 + "/TCP()",
    IP6 + "/ICMPv6ParamProblem(code=1,ptr=40)/" + IP6, IP6 + '/ICMPv6ND_NS(tgt="2001:db8::9")/ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:01")',
    'IPv6(src="fe80::1")/ICMPv6ND_NS(tgt="fe80::9")', IP6 + '/ICMPv6ND_NA(R=0,S=1,tgt="2001:db8::9")/ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:00:02")',
    'IPv6(src="fe80::1",dst="ff02::2")/ICMPv6ND_RS()', 'IPv6(src="fe80::1")/ICMPv6ND_RA(chlim=64,M=1)/ICMPv6NDOptPrefixInfo(prefix="2001:db8::")/ICMPv6NDOptMTU(mtu=1400)',
    'IPv6(src="fe80::1")/ICMPv6ND_RA()/ICMPv6NDOptRDNSS(dns=["2001:db8::53"],lifetime=60,res=0)', IP6 + '/ICMPv6ND_Redirect(tgt="fe80::2",dst="2001:db8::5")',
    'IPv6(src="fe80::1")/ICMPv6MLQuery()', 'IPv6(src="fe80::1")/ICMPv6MLDone(mladdr="ff02::fb")', 'IPv6(src="fe80::1",dst="ff02::fb")/ICMPv6MLReport(mladdr="ff02::fb",cksum=5)',
    # TCP options
    IP + '/TCP(options=[("SAck",(100,200)),("NOP",None),("NOP",None)])', IP + '/TCP(options=[("SAckOK",b""),("SAck",(1,2,3,4))])', IP + '/TCP(options=[("TFO",(1,2)),("UTO",9)])',
    IP + '/TCP(flags="S",options=[("MSS",1460),("SAckOK",b""),("Timestamp",(4294967295,0)),("NOP",None),("WScale",14)])', IP + '/TCP(options=[("AltChkSum",(1,2)),(99,b"abc")])',
    # records of DNS
    IP + '/UDP()/DNS(qr=1,qd=None,an=DNSRRMX(rrname="a.example",type="MX",preference=5,exchange="mx.a.example"))', IP + '/UDP()/DNS(qr=1,qd=None,an=DNSRRSRV(rrname="_mqtt._tcp.a.example",port=1883,target="b.example",ttl=9))',
    IP + '/UDP()/DNS(qr=1,qd=None,ns=DNSRRSOA(rrname="a.example",mname="ns.a.example",rname="h.a.example",serial=1,refresh=2,retry=3,expire=4,minimum=5))',
    IP + '/UDP()/DNS(qd=DNSQR(qname="a.example"),ar=DNSRROPT(rclass=1232,rdata=[EDNS0TLV(optcode=10,optdata="12345678")]))',
    IP + '/UDP()/DNS(qr=1,qd=None,an=DNSRR(rrname="a.example",type="TXT",rdata="v=1"))', IP + '/UDP()/DNS(qr=1,qd=None,an=DNSRR(rrname="1.0.0.10.in-addr.arpa",type="PTR",rdata="h.example"))',
    IP + '/UDP()/DNS(qr=1,qd=None,an=DNSRRDS(rrname="a.example",keytag=7,algorithm=8,digesttype=2,digest=b"\\x01\\x02"))', IP + '/UDP(dport=5353)/DNS(qd=DNSQR(qname="_mqtt._tcp.local",qtype="PTR",qclass=0x8001))',
    # MQTT as scapy.contrib.mqtt has it
    IP + '/TCP(dport=1883,flags="PA")/MQTT()/MQTTConnect(protoname="MQTT",protolevel=4,clientId="x",klive=60,cleansess=1)',
    'IP(src="10.0.0.1",dst="10.0.0.9")/TCP()/MQTT()/MQTTConnect(protoname="MQTT",protolevel=4,clientId="x",willflag=1,willtopic="w",willmsg="m",willQOSflag=2,usernameflag=1,username="u",passwordflag=1,password="p",reserved=1)',
    IP + '/TCP(sport=1883)/MQTT()/MQTTConnack(sessPresentFlag=1,retcode=5)', IP + '/TCP()/MQTT(QOS=0,RETAIN=1)/MQTTPublish(topic="a/b",value="21.5")',
    IP + '/TCP()/MQTT(QOS=1,DUP=1)/MQTTPublish(topic="a/b",msgid=7,value="x"*200)', IP + '/TCP()/MQTT(QOS=2)/MQTTPublish(topic="a",msgid=9,length=99)',
    IP + "/TCP()/MQTT()/MQTTPuback(msgid=1)", IP + "/TCP()/MQTT()/MQTTPubrec(msgid=2)", IP + "/TCP()/MQTT(QOS=1)/MQTTPubrel(msgid=3)", IP + "/TCP()/MQTT()/MQTTPubcomp(msgid=4)",
    IP + '/TCP()/MQTT(QOS=1)/MQTTSubscribe(msgid=5,topics=[MQTTTopicQOS(topic="a/#",QOS=2),MQTTTopicQOS(topic="+/b",QOS=0)])', IP + "/TCP()/MQTT()/MQTTSuback(msgid=5,retcode=128)",
    IP + '/TCP()/MQTT(QOS=1)/MQTTUnsubscribe(msgid=6,topics=[MQTTTopic(topic="a/#")])', IP + "/TCP()/MQTT()/MQTTUnsuback(msgid=6)", IP + "/TCP()/MQTT(type=12)", IP + "/TCP()/MQTT(type=13)",
    IP + "/TCP()/MQTT()/MQTTDisconnect()", IP + "/TCP()/MQTT(len=77)/MQTTPuback(msgid=1)",
    # tunnels and odd stacks
    E + "/Dot1Q(vlan=5)/ARP(hwsrc='02:00:00:00:00:01',psrc='10.0.0.1',pdst='10.0.0.9')", IP6 + "/" + IP + "/UDP()", IP6 + "/" + IP6 + "/ICMPv6EchoRequest()", IP + '/UDP()/Raw(load=b"\\xff"*1000)',
    E + "/" + IP6 + "/IPv6ExtHdrDestOpt()/TCP(dport=[1,2])",
]
SAME = [e.replace("\\\\", "\\") for e in SAME]

SCAPY = """
import logging, sys
logging.disable(logging.CRITICAL)
from scapy.all import *
from scapy.contrib.mqtt import *
for line in sys.stdin.read().split("\\x00"):
    print(" ".join(raw(p).hex() for p in eval(line)))
"""


@pytest.fixture(scope="module")
def scapy():
    try:
        run = subprocess.run([PYTHON, "-c", SCAPY], input="\0".join(SAME), capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("no Python of the system")
    if "No module named 'scapy'" in run.stderr:
        pytest.skip("python3-scapy is not installed")
    assert run.returncode == 0, run.stderr
    return dict(zip(SAME, run.stdout.splitlines()))


def packets(weir, *args):
    """The bytes of every packet, from --hex."""
    run = weir("craft", "--hex", *args)
    assert run.returncode == 0, run.err
    return ["".join(line[6:53].replace(" ", "") for line in block.splitlines()) for block in run.out.split("\n\n") if block]


@pytest.mark.parametrize("expression", SAME)
def test_bytes_are_scapys(weir, scapy, expression):
    assert packets(weir, expression) == scapy[expression].split()


def fields(weir, path, *names):
    return weir("read", "-r", path, "-T", "fields", *(a for n in names for a in ("-e", n))).out.splitlines()


def test_read_shows_what_was_written(weir, tmp_path):
    out = tmp_path / "out.pcapng"
    run = weir("craft", "-w", out, E + "/" + IP + '/TCP(dport=[1883,8883],flags="S")', IP + '/UDP()/DNS(qd="harvest.example")')
    assert run.returncode == 0 and not run.out, run.err
    assert fields(weir, out, "tcp.dstport", "dns.qry.name", "ip.src") == ["1883\t\t10.0.0.1", "8883\t\t10.0.0.1", "\tharvest.example\t10.0.0.1"]


@pytest.mark.parametrize("layer,want", [
    ('MQTT(type="CONNECT",clientid="x",username="u",password="p",klive=5)', {"mqtt.msgtype": "1", "mqtt.clientid": "x", "mqtt.username": "u", "mqtt.passwd": "p", "mqtt.kalive": "5"}),
    ('MQTT(type="PUBLISH",topic="a/b",value="21.5",QOS=1,msgid=7,RETAIN=1)', {"mqtt.topic": "a/b", "mqtt.qos": "1", "mqtt.msgid": "7", "mqtt.retain": "1"}),
    ('MQTT(type="SUBSCRIBE",topic="a/#",QOS=2,msgid=3)', {"mqtt.topic": "a/#", "mqtt.msgid": "3", "mqtt.sub.qos": "2"}),
    ('MQTT(type="CONNACK",retcode=5)', {"mqtt.msgtype": "2", "mqtt.len": "2"}), ('MQTT(mqtt.msgtype="PINGREQ")', {"mqtt.msgtype": "12"}),
])
def test_mqtt_is_read_back(weir, tmp_path, layer, want):
    out = tmp_path / "out.pcapng"
    assert weir("craft", "-w", out, IP + '/TCP(sport=40000,flags="PA")/' + layer).returncode == 0
    run = weir("read", "-r", out, "--show-secrets", "-T", "fields", *(a for n in want for a in ("-e", n)))
    got = run.out.splitlines()[0].split("\t")
    assert dict(zip(want, got)) == want


def test_a_fixed_header_that_lies(weir):
    assert packets(weir, 'MQTT(type="PINGREQ",len=1,hdrflags=3)/"x"') == ["c30178"]
    assert packets(weir, 'MQTT(type="DISCONNECT",len=300)') == ["e0ac02"]


def test_wiresharks_names(weir):
    assert packets(weir, 'IP(ip.src="10.0.0.1",ip.dst="10.0.0.9",ip.ttl=3)/TCP(tcp.dstport=5,window_size_value=1)') == \
        packets(weir, 'IP(src="10.0.0.1",dst="10.0.0.9",ttl=3)/TCP(dport=5,window=1)')


def test_random_values(weir):
    made = packets(weir, "-c", 20, IP + '/TCP(sport=RandShort(),seq=RandInt())')
    assert len({p[40:44] for p in made}) > 10 and len({p[48:56] for p in made}) == 20
    assert len(set(packets(weir, "-c", 5, 'Ether(src=RandMAC())/IP(src=RandIP(),dst="10.0.0.9")'))) == 5
    assert weir("craft", "IP()/Raw(RandShort())").returncode == 2


def test_names_of_hosts(weir):
    assert packets(weir, 'IP(src="10.0.0.1",dst="localhost")')[0][32:40] == "7f000001"
    assert weir("craft", 'IP(dst="no-such-host.invalid")').returncode == 2


def test_the_source_address_is_the_routes(weir):
    assert packets(weir, 'IP(dst="127.0.0.5")')[0][24:32] == "7f000001"


def test_show_and_lines(weir):
    assert "Time to Live: 9" in weir("craft", "--show", 'IP(src="10.0.0.1",dst="10.0.0.9",ttl=9)/ICMP()').out
    lines = weir("craft", '--count', 2, IP + "/TCP(dport=(1,3))").out.splitlines()
    assert len(lines) == 6 and "TCP" in lines[0]


@pytest.mark.parametrize("expression,what", [
    ("IP(tll=1)", "no field 'tll'"), ("IQ()", "no layer 'IQ'"), ("IP(ttl=256)", "256 is no value of ttl"), ("IP(dst=\"10.0.0.300\")", "10.0.0.300 is no value"),
    ("IP(dst=\"0.0.0.0/0\")", "more than 16777216 packets"), ("IP()/", "ends too early"), ("TCP()", "begin with Ether, IP or IPv6"), ("IP()/UDP()/DNS(qd=\"a..b\")", "no domain name"),
    ("IP()/TCP(options=[(\"MSS\",70000)])", "no value of the option"), ("IP(dst=10.0.0.1)", "in quotes"), ("IP()/MQTT(type=0)", "no such packet"),
])
def test_what_is_refused(weir, expression, what):
    run = weir("craft", expression)
    assert run.returncode == 2 and what in run.err, run.err


SEEN = ["ip.src", "ip.ttl", "ip.opt.len", "tcp.flags", "tcp.option_kind", "udp.length", "dns.qry.name", "dns.resp.name", "icmp.type", "icmp.code", "icmpv6.type", "ipv6.nxt", "ipv6.hlim",
        "arp.opcode", "vlan.id", "mqtt.msgtype", "mqtt.topic", "mqtt.clientid"]


def test_tshark_and_read_see_the_same(weir, tmp_path):
    """Every expression, in a connection of its own; checksums are right wherever none was asked to be wrong."""
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    odd = ("version=5", "len=9", "option=30", "routers", "IPOption_Security", "frag", "Fragment", "id=77", "HAO",  # Weir and tshark name options and fragments differently
           "Suback", "Unsuback", "Disconnect", "length=99")  # a connection that begins so is MQTT for tshark by its port only
    lines = [e for e in SAME if e.startswith(("E", "IP")) and not any(o in e for o in odd)]
    lines = [re.sub(r"/TCP\([^()]*\)/MQTT", f'/TCP(sport={40000 + n},dport=1883,flags="PA")/MQTT', e) for n, e in enumerate(lines)]
    out = tmp_path / "all.pcapng"
    assert weir("craft", "-w", out, *lines).returncode == 0
    names = [a for n in SEEN for a in ("-e", n)]
    theirs = subprocess.run(["tshark", "-r", str(out), "-T", "fields", *names], capture_output=True, text=True).stdout.splitlines()
    ours = weir("read", "-r", out, "-T", "fields", *names).out.splitlines()
    assert len(ours) == len(theirs) > 100
    assert [(n, a, b) for n, (a, b) in enumerate(zip(ours, theirs)) if a != b] == []
    sums = [a for p in ("ip", "tcp", "udp") for a in ("-o", f"{p}.check_checksum:TRUE")]
    bad = subprocess.run(["tshark", "-r", str(out), *sums, "-Y", "ip.checksum.status==0 || tcp.checksum.status==0 || udp.checksum.status==0 || icmp.checksum.status==0 || icmpv6.checksum.status==0"],
                         capture_output=True, text=True).stdout.splitlines()
    assert len(bad) <= sum("chksum=" in e or "cksum=" in e or "len=" in e or "dataofs" in e or "ihl" in e for e in lines), bad
