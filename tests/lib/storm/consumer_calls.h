/* Request codes, which are also the kinds of calls under way. Source: apache/rocketmq RequestCode.
 */
#ifndef BOLIDE_TESTS_STORM_CONSUMER_CALLS_H
#define BOLIDE_TESTS_STORM_CONSUMER_CALLS_H

#define BL_STORM_PULL_MESSAGE 11
#define BL_STORM_OFFSET 14
#define BL_STORM_COMMIT 15
#define BL_STORM_HEARTBEAT 34
#define BL_STORM_UNREGISTER 35
#define BL_STORM_MEMBERS 38
#define BL_STORM_IDS_CHANGED 40
#define BL_STORM_LOCK_BATCH 41
#define BL_STORM_UNLOCK_BATCH 42
#define BL_STORM_SEND 310

#endif
