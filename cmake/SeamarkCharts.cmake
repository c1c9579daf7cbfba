# SPDX-License-Identifier: BSD-3-Clause
# Makes the charts' script of `seamark report`: what apps/seamark/report/package-lock.json names, by npm, as one file. Run as a script when Seamark is built:
# cmake -DWANTED=AUTO|ON|OFF -DNPM=... -DSOURCE=apps/seamark/report -DWORK=folder -P SeamarkCharts.cmake writes WORK/charts.js, and WORK/charts.status: "ok", or why
# charts.js is empty. With AUTO that is no error: the report has its tables then.
file(MAKE_DIRECTORY ${WORK})

function(without why)
	file(WRITE ${WORK}/charts.js "")
	file(WRITE ${WORK}/charts.status "${why}\n")
	if(WANTED STREQUAL "ON")
		message(FATAL_ERROR "no charts for seamark report: ${why}")
	endif()
endfunction()

if(WANTED STREQUAL "OFF")
	without("they are not wanted (SEAMARK_REPORT_CHARTS)")
	return()
endif()
if(NOT NPM)
	message("seamark report will have tables only: npm is not there")
	without("npm is not there")
	return()
endif()
foreach(file package.json package-lock.json charts.js)
	configure_file(${SOURCE}/${file} ${WORK}/bundle/${file} COPYONLY)
endforeach()
execute_process(COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund --prefer-offline --fetch-retries=1 --fetch-timeout=30000
	WORKING_DIRECTORY ${WORK}/bundle RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said TIMEOUT 180)
if(result)
	message("seamark report will have tables only: npm could not get what they need")
	without("npm could not get what they need: ${said}")
	return()
endif()
execute_process(COMMAND ${NPM} run --silent bundle -- --outfile=${WORK}/bundle/out.js
	WORKING_DIRECTORY ${WORK}/bundle RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said TIMEOUT 180)
if(result OR NOT EXISTS ${WORK}/bundle/out.js)
	message("seamark report will have tables only: the charts cannot be bundled: ${said}")
	without("bundling failed: ${said}")
	return()
endif()
file(RENAME ${WORK}/bundle/out.js ${WORK}/charts.js)
file(REMOVE_RECURSE ${WORK}/bundle)
file(WRITE ${WORK}/charts.status "ok\n")
