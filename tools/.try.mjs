import { openPatient, sceneCases } from './calibration-cases.mjs'
let c=process.cpuUsage()
const lap=l=>{const d=process.cpuUsage(c);console.log(l,((d.user+d.system)/1e6).toFixed(2));c=process.cpuUsage()}
const a=openPatient(101,1.2); lap('open')
const b=openPatient(102,1.2); lap('open')
let n=0
for(const r of sceneCases(b,a)){ n++; if(!r){console.log('none');continue}
 const e=r.evidence
 console.log(r.kind,r.preset,r.quality,'tre',r.tre?.toFixed(2),'mpd',r.mpd?.toFixed(2),'s',e.similarity.map(x=>x.toFixed(2)).join(' '),'q',e.weakestQuarter.toFixed(2),'mir',e.overMirror.toFixed(2),'ag',e.agreeingStarts.toFixed(2),'riv',e.overRival?.toFixed(2),'mv',e.movedMm.toFixed(1),'lm',e.landmarks?.medianMm.toFixed(1),'etre',e.expectedTreMm.toFixed(3),'use',e.usableShare.toFixed(2),'clip',e.clippedShare.toFixed(2),'noise',e.noise.toFixed(4),'maha',r.mahalanobis?.toFixed(1), r.seconds.toFixed(2), r.judgeSeconds.toFixed(2))}
lap('cases '+n)
