/* Membership notices (NOTIFY_CONSUMER_IDS_CHANGED, 40). Thread: core. */
#ifndef BOLIDE_BROKER_MEMBERS_NOTICE_H
#define BOLIDE_BROKER_MEMBERS_NOTICE_H

struct bl_broker;
struct bl_member_group;

/* Tells every member, now or when the last notice is 500 ms old. */
void bl_notice_members_changed(struct bl_broker *broker, struct bl_member_group *group);

#endif
