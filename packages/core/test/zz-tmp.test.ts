import { test } from 'vitest'
import { execFileSync } from 'node:child_process'
import { MU_WATER } from '../src/drr/attenuation.js'
import { createReferenceRenderer } from '../src/drr/reference-renderer.js'
import { createWasmRenderer } from '../src/drr/wasm-renderer.js'
import { PAPER_DETECTOR } from '../src/geometry/camera.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import { gridCentre } from '../src/volume/volume.js'
import { relativeRms } from './drr-volumes.js'
import { plastimatchDrr } from './plastimatch.js'
import { readRealCt } from './real-ct.js'
test('x', () => {
  const volume = readRealCt()
  console.log(volume.size, volume.spacing)
  const cameras = [[0,0,0],[0,0,90],[12,5,30]].map(([a,b,g])=>({detector:PAPER_DETECTOR,cameraFromLps:poseFromView({alpha:a*DEGREE,beta:b*DEGREE,gamma:g*DEGREE,translation:[6,-4,9]},gridCentre(volume))}))
  const att = {...volume, data: Float32Array.from(volume.data, hu => Math.max(0, MU_WATER*(1+hu/1000)))}
  const ex = plastimatchDrr(att, cameras), un = plastimatchDrr(att, cameras, 'uniform')
  const st=6
  const thin=(d:Float32Array)=>{const o:number[]=[];for(let v=0;v<188;v+=st)for(let u=0;u<240;u+=st)o.push(d[v*240+u]);return o}
  const D=PAPER_DETECTOR
  const det={...D,pixel:[D.pixel[0]*st,D.pixel[1]*st] as const,size:[40,Math.ceil(188/st)] as const,principalPoint:[D.principalPoint[0]/st,D.principalPoint[1]/st] as const}
  const near=createReferenceRenderer(volume,{interpolation:'nearest'}), tri=createReferenceRenderer(volume), jo=createWasmRenderer(volume,{quality:'joseph'})
  cameras.forEach((c,n)=>{
    const t0=performance.now(); const a=near.render({...c,detector:det}).data; const t1=performance.now(); const b=tri.render({...c,detector:det}).data; const t2=performance.now()
    const f=(x:number)=>(100*x).toFixed(4)
    console.log(t1-t0,t2-t1,'near/exact',f(relativeRms(a,thin(ex[n]))),'tri/exact',f(relativeRms(b,thin(ex[n]))),'near/uni',f(relativeRms(a,thin(un[n]))),'tri/uni',f(relativeRms(b,thin(un[n]))),'tri/near',f(relativeRms(b,a)),'jo/tri',f(relativeRms(thin(jo.render(c).data),b)))
  })
}, 600000)
