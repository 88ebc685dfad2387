/* What this program is called and which RocketMQ it speaks. */
#ifndef BOLIDE_CLI_VERSION_H
#define BOLIDE_CLI_VERSION_H

#define BL_PROGRAM_VERSION "0.1.0"
#define BL_ROCKETMQ_VERSION "5.5.0"

#endif
