"""What the process-level tests share: a remoting client, a record decoder, process starters, TAP.

Python 3 standard library only. The wire format is that of RocketMQ's RemotingCommand and
RocketMQSerializable, the record format that of MessageExtEncoder and MessageDecoder.
"""
